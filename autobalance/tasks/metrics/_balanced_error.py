"""The error that gives every class the same weight."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import balanced_weights, of_losses
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def balanced_error(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The mean over the classes of the class's mean."""
    return losses @ balanced_weights(batch.y, context.num_classes, losses)


BALANCED_ERROR = register(
    Metric(
        "balanced_error",
        "balanced error",
        "Balanced error: the mean of the classes' error rates.",
        **of_losses(balanced_error),
    )
)
