"""LDAM with deferred re-weighting (Cao et al. 2019)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from autobalance.losses import Loss, deferred
from autobalance.losses.named._cb import BETA
from autobalance.losses.named._counts import effective_number_weights
from autobalance.losses.named._ldam import MAX_M, SCALE, ldam
from autobalance.losses.named._member import family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss, Settings
from autobalance.losses.named._registry import register

DRW_START = Range(0.5, 0.95)  # Cao et al. 2019: 160 of 200 epochs


def ldam_drw(
    class_counts: Tensor,
    settings: Settings,
    max_m: float = 0.5,
    s: float = 30.0,
    beta: float = 0.9999,
    drw_start: float = 0.8,
) -> Loss:
    """`ldam`, with the w of `cb` from the share ``drw_start`` of all epochs on."""
    loss = family_member(ldam)(class_counts, replace(settings, weight=None), max_m=max_m, s=s)
    weight = effective_number_weights(class_counts, beta) if settings.weight is None else settings.weight
    return deferred(loss, weight, drw_start)


register(
    NamedLoss(
        "ldam-drw",
        "LDAM with deferred re-weighting",
        "classes",
        ldam_drw,
        source="Cao et al. 2019, algorithm 1",
        head="cosine",
        ranges={"max_m": MAX_M, "s": SCALE, "beta": BETA, "drw_start": DRW_START},
    )
)
