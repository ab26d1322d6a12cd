"""One less Matthews' correlation coefficient of several classes (Gorodkin 2004)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register

#: Product of variances that counts as none: one class only, and rounding.
LEAST = 1e-14


def mcc(matrix: Confusion) -> Tensor:
    """1 - (h - Σ p t) / √((1 - Σ p²)(1 - Σ t²)), with h the share predicted rightly, t_k and p_k the shares of each
    class among the samples and the predictions; 1 where all samples or all predictions are of one class."""
    t, p = matrix.shares, matrix.predicted
    variances = (1 - p @ p) * (1 - t @ t)
    degenerate = variances <= LEAST
    root = torch.where(degenerate, 1, variances).sqrt()
    return 1 - torch.where(degenerate, 0, (matrix.hits.sum() - p @ t) / root)


register(
    Metric(
        "mcc_error",
        "1 - MCC",
        "1 - MCC: one less Matthews' correlation coefficient, from 0 to 200 %.",
        option="mcc",
        score=True,
        column=False,
        **of_confusion(mcc),
    )
)
