"""What is trained on: the family of losses, as module, function and file, with its schedules and terms."""

from autobalance.losses._base import Loss as Loss
from autobalance.losses._base import Stage as Stage
from autobalance.losses._base import unreduced as unreduced
from autobalance.losses._binary import BinaryLoss as BinaryLoss
from autobalance.losses._binned import RegressionLoss as RegressionLoss
from autobalance.losses._csl import CSL as CSL
from autobalance.losses._csl import with_csl as with_csl
from autobalance.losses._csl_released import ReleasedCSL as ReleasedCSL
from autobalance.losses._csl_statistics import CSLStatistics as CSLStatistics
from autobalance.losses._csl_statistics import held_of as held_of
from autobalance.losses._csl_statistics import importance as importance
from autobalance.losses._equalization import Equalization as Equalization
from autobalance.losses._equalization import rare_classes as rare_classes
from autobalance.losses._family import parametric_loss as parametric_loss
from autobalance.losses._file import load_loss as load_loss
from autobalance.losses._file import loss_from_dict as loss_from_dict
from autobalance.losses._file import loss_to_dict as loss_to_dict
from autobalance.losses._file import provenance_of as provenance_of
from autobalance.losses._file import save_loss as save_loss
from autobalance.losses._geometric import GeometricMean as GeometricMean
from autobalance.losses._group_dro import GroupDRO as GroupDRO
from autobalance.losses._influence import InfluenceBalanced as InfluenceBalanced
from autobalance.losses._label_aware import LabelAware as LabelAware
from autobalance.losses._member import Member as Member
from autobalance.losses._modified import Modified as Modified
from autobalance.losses._modified import layers as layers
from autobalance.losses._parametric import ParametricLoss as ParametricLoss
from autobalance.losses._regression import regression_loss as regression_loss
from autobalance.losses._schedule import ScheduledLoss as ScheduledLoss
from autobalance.losses._schedule import deferred as deferred
from autobalance.losses._terms import MODIFICATIONS as MODIFICATIONS
from autobalance.losses._terms import with_absent as with_absent

__all__ = [
    "CSL",
    "MODIFICATIONS",
    "BinaryLoss",
    "CSLStatistics",
    "Equalization",
    "GeometricMean",
    "GroupDRO",
    "InfluenceBalanced",
    "LabelAware",
    "Loss",
    "Member",
    "Modified",
    "ParametricLoss",
    "RegressionLoss",
    "ReleasedCSL",
    "ScheduledLoss",
    "Stage",
    "deferred",
    "held_of",
    "importance",
    "layers",
    "load_loss",
    "loss_from_dict",
    "loss_to_dict",
    "parametric_loss",
    "provenance_of",
    "rare_classes",
    "regression_loss",
    "save_loss",
    "unreduced",
    "with_absent",
    "with_csl",
]
