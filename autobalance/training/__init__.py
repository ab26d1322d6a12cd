"""How models are trained: the recipe, one training, and several side by side."""

from autobalance.training._features import on_features as on_features
from autobalance.training._resources import peak_memory_mb as peak_memory_mb
from autobalance.training._resources import reset_peak_memory as reset_peak_memory
from autobalance.training._resources import versions as versions
from autobalance.training._setting import Setting as Setting
from autobalance.training._setting import setting_of as setting_of
from autobalance.training._setting import setting_of_model as setting_of_model
from autobalance.training._together import train_together as train_together
from autobalance.training._training import Recipe as Recipe
from autobalance.training._training import SeesTargets as SeesTargets
from autobalance.training._training import WithFeatures as WithFeatures
from autobalance.training._training import end_epoch as end_epoch
from autobalance.training._training import train as train
