"""The influence-balanced losses (Park et al. 2021)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from autobalance.losses import InfluenceBalanced, Loss, ScheduledLoss
from autobalance.losses.named._cb import BETA
from autobalance.losses.named._ce import ce
from autobalance.losses.named._counts import effective_number_weights, inverse_frequency
from autobalance.losses.named._member import family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss, Settings
from autobalance.losses.named._registry import register

SOURCE = "Park et al. 2021, and its released code"
#: The factor on α is up to a million: the released code lowers the learning rate from 0.1 to 0.001 where it begins.
SLOWED = ("start", 0.01)
RANGES = {"alpha": Range(10.0, 10_000.0, "log"), "start": Range(0.25, 0.75)}  # Park et al.: 1000; 100 of 200 epochs


def ib(
    class_counts: Tensor, settings: Settings, alpha: float = 1000.0, epsilon: float = 1e-3, start: float = 0.5
) -> Loss:
    """`InfluenceBalanced` with w ∝ 1 / n, Σ w = K, after cross-entropy until the share ``start`` of all epochs."""
    return _late(inverse_frequency(class_counts), settings, start, alpha=alpha, epsilon=epsilon)


def ib_cb(
    class_counts: Tensor,
    settings: Settings,
    beta: float = 0.9999,
    alpha: float = 1000.0,
    epsilon: float = 1e-3,
    start: float = 0.5,
) -> Loss:
    """`ib` with the w of `cb`."""
    return _late(effective_number_weights(class_counts, beta), settings, start, alpha=alpha, epsilon=epsilon)


def ib_focal(
    class_counts: Tensor,
    settings: Settings,
    gamma: float = 1.0,
    alpha: float = 1000.0,
    epsilon: float = 1e-3,
    start: float = 0.5,
) -> Loss:
    """`ib` with focusing."""
    return _late(inverse_frequency(class_counts), settings, start, alpha=alpha, epsilon=epsilon, focus=gamma)


def _late(weight: Tensor, settings: Settings, start: float, **hyper: Any) -> Loss:
    """Cross-entropy, then `InfluenceBalanced` with ``weight``, (K,), and these hyper-parameters."""
    settings = replace(settings, reduction=settings.reduction or "batch_mean")
    w = weight if settings.weight is None else settings.weight
    late = InfluenceBalanced(family_member(ce)(weight, replace(settings, weight=w)), **hyper)
    if start == 0:
        return late
    early = family_member(ce)(weight, replace(settings, weight=None))
    return ScheduledLoss([(0.0, InfluenceBalanced(early, 0.0, **hyper)), (start, late)])


register(NamedLoss("ib", "influence-balanced loss", "classes", ib, SOURCE, ranges=RANGES, slowed=SLOWED))
register(
    NamedLoss(
        "ib-cb",
        "influence-balanced loss, class-balanced weights",
        "classes",
        ib_cb,
        SOURCE,
        ranges={**RANGES, "beta": BETA},
        slowed=SLOWED,
    )
)
register(
    NamedLoss(
        "ib-focal",
        "influence-balanced focal loss",
        "classes",
        ib_focal,
        SOURCE,
        ranges={**RANGES, "gamma": Range(0.25, 2.0)},
        slowed=SLOWED,
    )
)
