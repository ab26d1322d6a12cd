"""How much more often a class is predicted, rightly or wrongly, in one group than in another."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion, ratio
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def equalised_odds(matrix: Confusion) -> Tensor:
    """The largest over the classes of the largest difference of two groups in the rate of true or of false positives of
    the class; groups without samples of the class, or of others, are left out of the one or the other."""
    sizes = matrix.cells.sum(0)
    others, wrong = sizes - matrix.cells, matrix.answers - matrix.right
    differences = []
    for part, whole in ((matrix.right, matrix.cells), (wrong, others)):
        known = whole > 0
        some = known.any(1)
        differences.append(matrix.range(ratio(part, whole)[some], known[some]))
    return matrix.largest(torch.cat(differences))


register(
    Metric(
        "equalised_odds",
        "equalised odds difference",
        "Equalised odds difference: the largest difference between two groups in how often a class is predicted, among "
        "its samples or among those of the others.",
        needs="groups",
        column=False,
        **of_confusion(equalised_odds),
    )
)
