"""Vector scaling (Kini et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._cdt import GAMMA, cdt
from autobalance.losses.named._la import TAU, la
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def vs(class_counts: Tensor, gamma: float = 0.3, tau: float = 1.0) -> Parameters:
    """Δ_k = (n_k / n_max)^γ and l_k = τ log π_k; the defaults are the released code's."""
    return {**cdt(class_counts, gamma), **la(class_counts, tau)}


register(
    NamedLoss(
        "vs",
        "vector scaling",
        "classes",
        family_member(vs),
        source="Kini et al. 2021, eq. 2",
        ranges={"gamma": GAMMA, "tau": TAU},
    )
)
