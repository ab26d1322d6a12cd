"""The plain errors of regression: absolute, squared, and Huber's."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, regression_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def l1(bin_counts: Tensor) -> Parameters:
    """|e|."""
    return {"error": "l1"}


def mse(bin_counts: Tensor) -> Parameters:
    """e²."""
    return {"error": "mse"}


def huber(bin_counts: Tensor, threshold: float = 1.0) -> Parameters:
    """Square up to ``threshold``, then linear (the released code calls the threshold beta)."""
    return {"error": "huber", "threshold": threshold}


register(NamedLoss("l1", "absolute error, unweighted", "bins", regression_member(l1)))
register(NamedLoss("mse", "squared error, unweighted", "bins", regression_member(mse)))
register(
    NamedLoss(
        "huber",
        "Huber's error, unweighted",
        "bins",
        regression_member(huber),
        source="Huber 1964",
        ranges={"threshold": Range(0.05, 3.0, "log")},  # in standard deviations of the target
    )
)
