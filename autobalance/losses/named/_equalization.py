"""Softmax equalization (Tan et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses import Equalization, rare_classes
from autobalance.losses.named._ce import ce
from autobalance.losses.named._member import family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss, Settings
from autobalance.losses.named._registry import register


def equalization(
    class_counts: Tensor, settings: Settings, threshold: float | None = None, probability: float = 0.9
) -> Equalization:
    """`Equalization`; rare is a class whose share of the samples is below ``threshold``, by default half of a class's
    mean share, 0.5 / K: for 100 classes, 0.005."""
    return Equalization(
        family_member(ce)(class_counts, settings), rare_classes(class_counts, threshold), probability=probability
    )


register(
    NamedLoss(
        "equalization",
        "equalization loss",
        "classes",
        equalization,
        source="Tan et al. 2020, in its form for softmax; the defaults are those of BagofTricks-LT",
        ranges={"probability": Range(0.5, 0.99)},
    )
)
