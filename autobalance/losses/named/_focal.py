"""Focal loss (Lin et al. 2017)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

GAMMA = Range(0.5, 5.0)  # Lin et al. 2017, table 1b: 0 to 5


def focal(class_counts: Tensor, gamma: float = 2.0) -> Parameters:
    """The factor (1 - p_y)^γ, over a softmax in place of the sigmoid."""
    return {"gamma": gamma}


register(
    NamedLoss(
        "focal", "focal loss", "classes", family_member(focal), source="Lin et al. 2017, eq. 4", ranges={"gamma": GAMMA}
    )
)
