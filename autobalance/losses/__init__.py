"""What is trained on: the family of losses, as a module, as a function and as a file."""

from autobalance.losses._family import ParametricLoss as ParametricLoss
from autobalance.losses._family import parametric_loss as parametric_loss
from autobalance.losses._file import load_loss as load_loss
from autobalance.losses._file import save_loss as save_loss

__all__ = ["ParametricLoss", "load_loss", "parametric_loss", "save_loss"]
