"""Weighted softmax."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def weighted(class_counts: Tensor) -> Parameters:
    """w_k = N / (K n_k), with which every class counts the same; mean one over the samples."""
    return {"w": class_counts.sum() / (len(class_counts) * class_counts)}


register(
    NamedLoss("weighted", "inverse-frequency weights", "classes", family_member(weighted), source="inverse frequency")
)
