"""Reference models, each a body that makes features and a head that makes logits; and feature smoothing (FDS)."""

from autobalance.models._adapted import Adapted as Adapted
from autobalance.models._adapted import adapted as adapted
from autobalance.models._backbone import BACKBONE as BACKBONE
from autobalance.models._backbone import Standardised as Standardised
from autobalance.models._backbone import backbone_names as backbone_names
from autobalance.models._backbone import backbone_size as backbone_size
from autobalance.models._backbone import pretrained_weights as pretrained_weights
from autobalance.models._base import CosineLinear as CosineLinear
from autobalance.models._base import FeatureModel as FeatureModel
from autobalance.models._calibrated import Calibrated as Calibrated
from autobalance.models._evaluating import evaluating as evaluating
from autobalance.models._fds import FDS as FDS
from autobalance.models._fds_file import Smoothing as Smoothing
from autobalance.models._fds_file import load_fds as load_fds
from autobalance.models._make import default_model as default_model
from autobalance.models._make import make_model as make_model
from autobalance.models._make import model_names as model_names
from autobalance.models._output_bias import output_bias as output_bias
from autobalance.models._output_bias import start_at as start_at
from autobalance.models._output_bias import started_at as started_at
from autobalance.models._output_layer import inputs_of as inputs_of
from autobalance.models._output_layer import output_layer as output_layer
from autobalance.models._structure import Structure as Structure
