"""Regression weighted by the inverse of the bins' counts, or of their square roots."""

from __future__ import annotations

from torch import Tensor

from autobalance.common import InputError
from autobalance.losses.named._member import Parameters, regression_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

SOURCE = "Yang et al. 2021 (Deep Imbalanced Regression), baselines of its released code"


def inv(bin_counts: Tensor, clip: tuple[float, float] = (5.0, 1000.0)) -> Parameters:
    """w_b ∝ 1 / n_b, the counts clipped as in the released code.

    Raises:
        InputError: a clip that is not 0 < low <= high.
    """
    if not 0 < clip[0] <= clip[1]:
        raise InputError(f"clip is {clip}; it is the smallest and the largest count, both above 0")
    return {"w": 1 / bin_counts.clamp(*clip)}


def sqinv(bin_counts: Tensor) -> Parameters:
    """w_b ∝ 1 / √n_b."""
    return {"w": bin_counts.clamp_min(1).rsqrt()}


register(NamedLoss("inv", "inverse bin counts", "bins", regression_member(inv), SOURCE))
register(NamedLoss("sqinv", "inverse root of the bin counts", "bins", regression_member(sqinv), SOURCE))
