"""Vector scaling with groups (Kini et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._cdt import GAMMA
from autobalance.losses.named._group_la import group_la
from autobalance.losses.named._la import TAU
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def group_vs(cell_counts: Tensor, gamma: float = 0.3, tau: float = 1.0) -> Parameters:
    """Δ_kg = (n_kg / n_max)^γ, n_max the largest cell, and l of `group_la`: each logit has the Δ of its own class."""
    return {"delta": (cell_counts / cell_counts.max()) ** gamma, **group_la(cell_counts, tau)}


register(
    NamedLoss(
        "group-vs",
        "group VS",
        "cells",
        family_member(group_vs),
        source="Kini et al. 2021, Group-VS, in the form of Li et al. 2021, eq. 4.2",
        ranges={"gamma": GAMMA, "tau": TAU},
    )
)
