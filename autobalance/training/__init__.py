"""How models are trained: the recipe, one training, and several side by side."""

from autobalance.training._advice import advice as advice
from autobalance.training._answers import NOT_FINITE as NOT_FINITE
from autobalance.training._answers import Answers as Answers
from autobalance.training._answers import answers as answers
from autobalance.training._answers import constant_output as constant_output
from autobalance.training._arm import Arm as Arm
from autobalance.training._check_model import check_module as check_module
from autobalance.training._features import WithFeatures as WithFeatures
from autobalance.training._features import on_features as on_features
from autobalance.training._optimisers import OPTIMIZERS as OPTIMIZERS
from autobalance.training._optimisers import NamedOptimiser as NamedOptimiser
from autobalance.training._optimisers import register_optimizer as register_optimizer
from autobalance.training._recipe import Recipe as Recipe
from autobalance.training._resources import peak_memory_mb as peak_memory_mb
from autobalance.training._resources import reset_peak_memory as reset_peak_memory
from autobalance.training._resources import versions as versions
from autobalance.training._setting import Setting as Setting
from autobalance.training._setting import setting_of as setting_of
from autobalance.training._setting import setting_of_model as setting_of_model
from autobalance.training._targets import SeesTargets as SeesTargets
from autobalance.training._targets import end_epoch as end_epoch
from autobalance.training._together import train_together as train_together
from autobalance.training._train import train as train
from autobalance.training._trained_model import MODEL_FILE as MODEL_FILE
from autobalance.training._trained_model import TrainedModel as TrainedModel
from autobalance.training._trained_model import load_model as load_model
