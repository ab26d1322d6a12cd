"""How predicted numbers go up and down with the targets."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def pearson(output: Tensor, batch: Batch, context: Context) -> float:
    """The linear correlation; NaN where one side is constant."""
    from scipy import stats

    pair = _pair(output, batch)
    return math.nan if pair is None else float(stats.pearsonr(*pair).statistic)


def spearman(output: Tensor, batch: Batch, context: Context) -> float:
    """The correlation of the ranks; NaN where one side is constant."""
    from scipy import stats

    pair = _pair(output, batch)
    return math.nan if pair is None else float(stats.spearmanr(*pair).statistic)


def _pair(output: Tensor, batch: Batch) -> tuple[np.ndarray, np.ndarray] | None:
    x, y = (values.detach().cpu().double().flatten() for values in (output, batch.y))
    if len(y) < 2 or x.min() == x.max() or y.min() == y.max():
        return None
    return x.numpy(), y.numpy()


PEARSON = register(
    Metric(
        "pearson",
        "Pearson",
        "Pearson: the linear correlation of predictions and targets.",
        pearson,
        needs="bins",
        unit="",
        step="",
        column=False,
        better="higher",
    )
)
SPEARMAN = register(
    Metric(
        "spearman",
        "Spearman",
        "Spearman: the correlation of the ranks of predictions and targets.",
        spearman,
        needs="bins",
        unit="",
        step="",
        column=False,
        better="higher",
    )
)
