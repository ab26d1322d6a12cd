"""The guard: is the searched loss better than the fixed ones, on samples that none of them was trained on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.losses import Loss, Member, ScheduledLoss
from autobalance.tasks.objectives import Objective

#: A figure of outputs on a batch of samples; smaller is better.
Metric = Callable[[Tensor, Batch], float]

SEARCHED = "searched"
#: Folds that the candidates are judged on where nothing else is said.
CHOICE_FOLDS = 3
#: Resamplings of the held-out samples.
DRAWS = 400


@dataclass(frozen=True)
class Choice:
    """Which loss to use, and how sure that is.

    Args:
        chosen: ``searched`` where it beats ``best_fixed`` with the confidence that was asked for, else ``best_fixed``.
        best_fixed: the loss that the search started from, unless another fixed one beats it with that confidence.
        margin: the metric of ``best_fixed`` less that of the searched loss; above 0 where the searched is better.
        confidence: the share of the resamplings in which the searched loss is better; a tie counts half.
        interval: 2.5 and 97.5 % quantiles of the margin over the resamplings.
        held_out: the metric of each candidate.
    """

    chosen: str
    best_fixed: str
    margin: float
    confidence: float
    interval: tuple[float, float]
    held_out: dict[str, float]


def metric_of(objective: Objective) -> Metric:
    """The true (0/1) metric of an objective, where it has one; else its value."""
    if isinstance(objective, Objective):
        return objective.metric
    return lambda output, batch: float(objective(output, batch))


def member(name: str, loss: Loss) -> Member | ScheduledLoss:
    """A loss that may be chosen: one that a file can hold.

    Raises:
        InputError: it is no member of a family.
    """
    if isinstance(loss, Member | ScheduledLoss) and all(isinstance(stage.loss, Member) for stage in loss.stages):
        return loss
    raise InputError(f"{name} cannot be a candidate: a loss file holds members of a family only; leave it out")


def choose(
    outputs: Mapping[str, Tensor],
    start: str,
    batch: Batch,
    strata: np.ndarray,
    metric: Metric,
    needed: float,
    seed: int = 0,
) -> Choice:
    """Compares candidates on held-out samples, the same for all.

    A margin between two candidates gets a paired bootstrap distribution: the samples are drawn anew, with replacement,
    within each stratum, so that every class keeps its number (Efron & Tibshirani 1993, section 8.3). It holds the
    chance in the held-out samples, not that in the training.

    Whatever was known before the samples were looked at stays unless something beats it with confidence: first the
    loss that the search started from against the other fixed ones, then the winner against the searched loss.

    Args:
        outputs: of each candidate, (N, ...); one of them is `SEARCHED`, another ``start``.
        start: the name of the fixed loss that the search started from.
        batch: the samples, of which only y and group are looked at.
        strata: (N,), each sample's class or bin, and group.
        metric: smaller is better.
        needed: the confidence from which on a candidate replaces another.
        seed: of the resamplings.
    """
    held_out = {name: metric(output, batch) for name, output in outputs.items()}
    draws = _resamplings(strata, seed)
    again = [Batch(batch.x[:0], batch.y[i], None if batch.group is None else batch.group[i]) for i in draws]
    spread = {
        name: np.array([metric(output[index], part) for index, part in zip(draws, again, strict=True)])
        for name, output in outputs.items()
    }

    def confidence(name: str, other: str) -> float:
        return float(np.mean(spread[name] < spread[other]) + 0.5 * np.mean(spread[name] == spread[other]))

    better = [name for name in outputs if name != SEARCHED and name != start and confidence(name, start) >= needed]
    best_fixed = min(better, key=held_out.__getitem__, default=start)
    sure = confidence(SEARCHED, best_fixed)
    low, high = np.quantile(spread[best_fixed] - spread[SEARCHED], (0.025, 0.975))
    return Choice(
        chosen=SEARCHED if sure >= needed else best_fixed,
        best_fixed=best_fixed,
        margin=held_out[best_fixed] - held_out[SEARCHED],
        confidence=sure,
        interval=(float(low), float(high)),
        held_out=held_out,
    )


def _resamplings(strata: np.ndarray, seed: int) -> list[Tensor]:
    """Positions of samples, drawn with replacement among those of the same stratum."""
    generator = np.random.default_rng(seed)
    order, counts = np.argsort(strata, kind="stable"), np.bincount(strata)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    sizes = np.repeat(counts, counts)
    places = (begins + (generator.random(len(order)) * sizes).astype(np.int64) for _ in range(DRAWS))
    return [torch.from_numpy(order[place]) for place in places]
