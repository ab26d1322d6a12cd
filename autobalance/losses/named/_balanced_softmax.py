"""Balanced softmax (Ren et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._la import la
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def balanced_softmax(class_counts: Tensor) -> Parameters:
    """l_k = log π_k, which is the paper's log n_k up to a constant."""
    return la(class_counts)


register(
    NamedLoss(
        "balanced-softmax", "balanced softmax", "classes", family_member(balanced_softmax), source="Ren et al. 2020"
    )
)
