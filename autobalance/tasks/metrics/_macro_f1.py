"""One less the mean of the classes' F1 (van Rijsbergen 1979)."""

from __future__ import annotations

from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def macro_f1(matrix: Confusion) -> Tensor:
    """1 - the mean F1 of the classes that have samples."""
    return 1 - matrix.f()[matrix.present].mean()


register(
    Metric(
        "macro_f1_error",
        "1 - macro-F1",
        "1 - macro-F1: one less the mean over the classes of F1, the harmonic mean of precision and recall.",
        option="macro_f1",
        score=True,
        **of_confusion(macro_f1),
    )
)
