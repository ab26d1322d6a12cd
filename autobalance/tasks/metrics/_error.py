"""The error over all samples."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import means, of_losses
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def error(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The mean over the samples; at equal shares over the classes."""
    if not context.equal_shares:
        return losses.mean()
    of_classes, present = means(losses, batch.y, context.num_classes)
    return of_classes[present].mean()


ERROR = register(
    Metric("error", "error", "Error: the share of the samples that are predicted wrongly.", **of_losses(error))
)
