"""The largest error of a class."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import means, of_losses
from autobalance.tasks.metrics._metric import Context, Metric, soft_maximum
from autobalance.tasks.metrics._registry import register


def worst_class(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The soft maximum of the classes' mean losses."""
    of_classes, present = means(losses, batch.y, context.num_classes)
    return soft_maximum(of_classes[present], maximum)


register(
    Metric(
        "worst_class_error",
        "worst-class error",
        "Worst-class error: the largest error rate of a class.",
        option="worst_class",
        **of_losses(worst_class),
    )
)
