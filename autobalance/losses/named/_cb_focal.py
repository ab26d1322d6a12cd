"""Class-balanced focal loss (Cui et al. 2019)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._cb import BETA, cb
from autobalance.losses.named._focal import GAMMA, focal
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def cb_focal(class_counts: Tensor, beta: float = 0.9999, gamma: float = 1.0) -> Parameters:
    """w of `cb` and γ of `focal`, over a softmax in place of the sigmoids."""
    return {**cb(class_counts, beta), **focal(class_counts, gamma)}


register(
    NamedLoss(
        "cb-focal",
        "class-balanced focal loss",
        "classes",
        family_member(cb_focal),
        source="Cui et al. 2019, section 4",
        ranges={"beta": BETA, "gamma": GAMMA},
    )
)
