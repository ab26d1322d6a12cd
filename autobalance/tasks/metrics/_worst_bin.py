"""The largest mean absolute error of a bin of the target."""

from __future__ import annotations

from torch import Tensor

from autobalance.common.density import bin_index
from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._losses import means
from autobalance.tasks.metrics._metric import Context, Metric, soft_maximum
from autobalance.tasks.metrics._registry import register

#: Of the soft maximum over the bins, in standard deviations of the targets.
TEMPERATURE = 0.1


def worst_bin(e: Tensor, batch: Batch, context: Context, maximum: float = 0.0) -> Tensor:
    """The (soft) maximum of the mean |e| of the bins in the batch; its temperature in standard deviations."""
    assert context.bin_edges is not None
    bins = bin_index(batch.y, context.bin_edges.to(batch.y.device))
    of_bins, present = means(e.abs(), bins, context.num_classes)
    return soft_maximum(of_bins[present], maximum * context.scale)


def soft(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """The same, at the default temperature."""
    return worst_bin(e, batch, context, TEMPERATURE)


def softened(output: Tensor, batch: Batch, context: Context, temperature: float, maximum: float) -> Tensor:
    """The same, at a temperature of one's own."""
    return worst_bin(output.flatten() - batch.y, batch, context, maximum)


register(
    Metric(
        "worst_bin_mae",
        "worst-bin MAE",
        "Worst-bin MAE: the largest mean absolute error of a bin, in the unit of the target.",
        option="worst_bin",
        soft_confusion=softened,
        **of_errors(soft, worst_bin),
    )
)
