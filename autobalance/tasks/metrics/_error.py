"""The error over all samples."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import of_losses
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def error(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The mean over the samples."""
    return losses.mean()


ERROR = register(
    Metric("error", "error", "Error: the share of the samples that are predicted wrongly.", **of_losses(error))
)
