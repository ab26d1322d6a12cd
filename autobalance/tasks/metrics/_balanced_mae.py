"""The mean absolute error that gives every bin of the target the same weight."""

from __future__ import annotations

from torch import Tensor

from autobalance.common.density import bin_index
from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._losses import balanced_weights
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def balanced_mae(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """The mean over the bins in the batch of the bin's mean |e|."""
    assert context.bin_edges is not None
    bins = bin_index(batch.y, context.bin_edges.to(batch.y.device))
    return e.abs() @ balanced_weights(bins, context.num_classes, e)


BALANCED_MAE = register(
    Metric(
        "balanced_mae",
        "balanced MAE",
        "Balanced MAE: the mean over the bins of the bin's mean absolute error, in the unit of the target.",
        **of_errors(balanced_mae),
    )
)
