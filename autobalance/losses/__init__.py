"""What is trained on: the family of losses, as module, function and file, with its schedules and plug-ins."""

from autobalance.losses._base import Loss as Loss
from autobalance.losses._base import Stage as Stage
from autobalance.losses._binary import BinaryLoss as BinaryLoss
from autobalance.losses._binned import RegressionLoss as RegressionLoss
from autobalance.losses._csl import CSL as CSL
from autobalance.losses._csl import ReleasedCSL as ReleasedCSL
from autobalance.losses._equalization import Equalization as Equalization
from autobalance.losses._family import parametric_loss as parametric_loss
from autobalance.losses._file import load_loss as load_loss
from autobalance.losses._file import loss_from_dict as loss_from_dict
from autobalance.losses._file import loss_to_dict as loss_to_dict
from autobalance.losses._file import save_loss as save_loss
from autobalance.losses._group_dro import GroupDRO as GroupDRO
from autobalance.losses._influence import InfluenceBalanced as InfluenceBalanced
from autobalance.losses._member import Member as Member
from autobalance.losses._parametric import ParametricLoss as ParametricLoss
from autobalance.losses._regression import regression_loss as regression_loss
from autobalance.losses._schedule import ScheduledLoss as ScheduledLoss
from autobalance.losses._schedule import deferred as deferred

__all__ = [
    "CSL",
    "BinaryLoss",
    "Equalization",
    "GroupDRO",
    "InfluenceBalanced",
    "Loss",
    "Member",
    "ParametricLoss",
    "RegressionLoss",
    "ReleasedCSL",
    "ScheduledLoss",
    "Stage",
    "deferred",
    "load_loss",
    "loss_from_dict",
    "loss_to_dict",
    "parametric_loss",
    "regression_loss",
    "save_loss",
]
