"""The last word: is the searched loss better than the fixed ones, on samples that neither was trained on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autobalance.data import Batch

#: A figure of outputs on a batch of samples; smaller is better.
Metric = Callable[[Tensor, Batch], float]

SEARCHED = "searched"
#: Resamplings of the held-out samples.
DRAWS = 1000


@dataclass(frozen=True)
class Choice:
    """Which loss to use, and how sure that is.

    Args:
        chosen: ``searched`` where it beats the best fixed loss with confidence, else that fixed loss.
        best_fixed: the fixed loss with the smallest held-out metric.
        margin: the metric of the best fixed loss less that of the searched one; above 0 where the searched is better.
        confidence: the share of the resamplings in which the searched loss is better (a tie counts half).
        interval: 2.5 and 97.5 % quantiles of the margin over the resamplings.
        held_out: the metric of each candidate.
    """

    chosen: str
    best_fixed: str
    margin: float
    confidence: float
    interval: tuple[float, float]
    held_out: dict[str, float]


def choose(
    outputs: Mapping[str, Tensor],
    batch: Batch,
    strata: np.ndarray,
    metric: Metric,
    needed: float,
    seed: int = 0,
) -> Choice:
    """Compares candidates on held-out samples, the same for all.

    The margin between the searched loss and the best fixed one gets a paired bootstrap distribution: the samples are
    drawn anew, with replacement, within each stratum, so that every class keeps its number (Efron & Tibshirani 1993,
    section 8.3). It holds the chance in the validation samples, not that in the training.

    Args:
        outputs: of each candidate, (N, ...); one of them is `SEARCHED`.
        batch: the samples, of which only y and group are looked at.
        strata: (N,), each sample's class or bin, and group.
        metric: smaller is better.
        needed: the confidence from which on the searched loss is chosen.
        seed: of the resamplings.
    """
    held_out = {name: metric(output, batch) for name, output in outputs.items()}
    best_fixed = min((name for name in outputs if name != SEARCHED), key=held_out.__getitem__)
    generator = np.random.default_rng(seed)
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)[strata[order]]
    begins = (np.cumsum(np.bincount(strata)) - np.bincount(strata))[strata[order]]
    margins = np.empty(DRAWS)
    for draw in range(DRAWS):
        index = torch.from_numpy(order[begins + (generator.random(len(order)) * sizes).astype(np.int64)])
        again = Batch(batch.x[:0], batch.y[index], None if batch.group is None else batch.group[index])
        margins[draw] = metric(outputs[best_fixed][index], again) - metric(outputs[SEARCHED][index], again)
    confidence = float(np.mean(margins > 0) + 0.5 * np.mean(margins == 0))
    low, high = np.quantile(margins, (0.025, 0.975))
    return Choice(
        chosen=SEARCHED if confidence >= needed else best_fixed,
        best_fixed=best_fixed,
        margin=held_out[best_fixed] - held_out[SEARCHED],
        confidence=confidence,
        interval=(float(low), float(high)),
        held_out=held_out,
    )
