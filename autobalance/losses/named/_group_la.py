"""Logit adjustment within each group (Li et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.losses.named._la import TAU
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def group_la(cell_counts: Tensor, tau: float = 1.0) -> Parameters:
    """l_kg = τ log(n_kg / n_g), n_g the samples of the group. With n_kg / N it would be the same loss: a constant a
    group changes nothing."""
    return {"l": tau * torch.log(cell_counts / cell_counts.sum(0))}


register(
    NamedLoss(
        "group-la",
        "group logit adjustment (τ = 1)",
        "cells",
        family_member(group_la),
        source="Li et al. 2021, section 4",
        ranges={"tau": TAU},
    )
)
