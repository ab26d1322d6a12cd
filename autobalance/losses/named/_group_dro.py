"""Group distributionally robust optimisation (Sagawa et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import GroupDRO
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss, Settings
from autobalance.losses.named._registry import register


def group_dro(cell_counts: Tensor, settings: Settings, eta: float = 0.01, adjustment: float = 0.0) -> GroupDRO:
    """`GroupDRO`, which has a state.

    Raises:
        InputError: a weight, which would have no effect.
    """
    if settings.weight is not None:
        raise InputError("weight has no effect on group-dro, which finds its weights in training")
    return GroupDRO(
        cell_counts,
        eta,
        adjustment,
        settings.reduction or "batch_mean",
        settings.class_names,
        settings.group_names,
        settings.dtype,
    )


register(
    NamedLoss(
        "group-dro",
        "group DRO",
        "cells",
        group_dro,
        source="Sagawa et al. 2020, algorithm 1 and section 3.3",
        ranges={"eta": Range(0.001, 0.1, "log"), "adjustment": Range(0.0, 5.0)},  # Sagawa et al.: 0.01; 0 to 5
    )
)
