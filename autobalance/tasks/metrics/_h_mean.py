"""One less the harmonic mean of the recalls."""

from __future__ import annotations

from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register

#: Stands for a recall of zero, which makes the mean zero: its reciprocal and the square of that are still float32.
LEAST = 1e-12


def h_mean(matrix: Confusion) -> Tensor:
    """1 - C / Σ (1 / recall) of the C classes that have samples."""
    return 1 - 1 / (1 / matrix.recalls.clamp_min(LEAST)).mean()


register(
    Metric(
        "h_mean_error",
        "1 - H-mean",
        "1 - H-mean: one less the harmonic mean of the classes' recalls.",
        option="h_mean",
        score=True,
        reported=False,
        column=False,
        **of_confusion(h_mean),
    )
)
