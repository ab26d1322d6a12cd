"""The error that gives every cell, a class in a group, the same weight."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import balanced_weights, cells, of_losses
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def group_balanced_error(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The mean over the cells of the cell's mean."""
    return losses @ balanced_weights(*cells(batch, context), losses)


GROUP_BALANCED_ERROR = register(
    Metric(
        "group_balanced_error",
        "group-balanced error",
        "Group-balanced error: the mean of the error rates of all cells, a class in a group each.",
        needs="groups",
        **of_losses(group_balanced_error),
    )
)
