"""How much more often a class is predicted in one group than in another."""

from __future__ import annotations

from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def demographic_parity(matrix: Confusion) -> Tensor:
    """The largest over the classes of the largest difference of two groups in how often the class is predicted."""
    sizes = matrix.cells.sum(0)
    rates = matrix.answers[:, sizes > 0] / sizes[sizes > 0]
    return matrix.largest(matrix.range(rates))


register(
    Metric(
        "demographic_parity",
        "demographic parity difference",
        "Demographic parity difference: the largest difference between two groups in how often a class is predicted.",
        needs="groups",
        column=False,
        **of_confusion(demographic_parity),
    )
)
