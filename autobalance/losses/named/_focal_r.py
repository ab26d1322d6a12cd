"""Focal-R (Yang et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, regression_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def focal_r(bin_counts: Tensor, beta: float = 0.2, gamma: float = 1.0) -> Parameters:
    """(2 sigmoid(β|e|) - 1)^γ times the error."""
    return {"beta": beta, "gamma": gamma}


register(
    NamedLoss(
        "focal-r",
        "Focal-R",
        "bins",
        regression_member(focal_r),
        source="Yang et al. 2021, section 4",
        ranges={"beta": Range(0.5, 20.0, "log"), "gamma": Range(0.25, 2.0)},
        # The published 0.2 is for errors in years: times the 15.8 years that ages deviate by in AgeDB-DIR's training
        # samples. (The 20 of STS-B-DIR, for scores over 5, comes to 5.9 deviations.)
        in_deviations={"beta": 3.2},
    )
)
