"""Group-balanced weights."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def group_weighted(cell_counts: Tensor) -> Parameters:
    """w_kg = N / (K G n_kg), with which every cell counts the same; mean one over the samples."""
    return {"w": cell_counts.sum() / (cell_counts.numel() * cell_counts)}


register(
    NamedLoss(
        "group-weighted",
        "group-balanced weights",
        "cells",
        family_member(group_weighted),
        source="inverse frequency of the cells",
    )
)
