"""One less Cohen's kappa (Cohen 1960)."""

from __future__ import annotations

from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def kappa(matrix: Confusion) -> Tensor:
    """1 - (h - Σ p t) / (1 - Σ p t), with h the share predicted rightly, t_k and p_k the shares of each class among the
    samples and the predictions."""
    by_chance = matrix.shares @ matrix.predicted
    return (1 - matrix.hits.sum()) / (1 - by_chance)


register(
    Metric(
        "kappa_error",
        "1 - kappa",
        "1 - kappa: one less Cohen's kappa, the agreement beyond chance.",
        option="kappa",
        score=True,
        reported=False,
        column=False,
        **of_confusion(kappa),
    )
)
