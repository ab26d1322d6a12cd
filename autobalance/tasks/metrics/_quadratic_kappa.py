"""One less Cohen's kappa with quadratic weights: for ordered classes (Cohen 1968)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def quadratic_kappa(matrix: Confusion) -> Tensor:
    """Σ w O / Σ w E with w_ij = (i - j)², O the confusion matrix and E the product of its margins."""
    order = torch.arange(len(matrix.shares), device=matrix.shares.device, dtype=matrix.shares.dtype)
    weights = (order[:, None] - order) ** 2
    return (weights * matrix.matrix).sum() / (matrix.shares @ weights @ matrix.predicted)


register(
    Metric(
        "quadratic_kappa_error",
        "1 - quadratic kappa",
        "1 - quadratic kappa: one less Cohen's kappa with quadratic weights; the classes are in order.",
        option="quadratic_kappa",
        score=True,
        reported=False,
        column=False,
        **of_confusion(quadratic_kappa),
    )
)
