"""The largest error of a cell (Sagawa et al. 2020; Li et al. 2021, table 3)."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import cells, means, of_losses
from autobalance.tasks.metrics._metric import Context, Metric, soft_maximum
from autobalance.tasks.metrics._registry import register


def worst_group(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """The soft maximum of the cells' mean losses."""
    of_cells, present = means(losses, *cells(batch, context))
    return soft_maximum(of_cells[present], maximum)


WORST_GROUP = register(
    Metric(
        "worst_group_error",
        "worst-group error",
        "Worst-group error: the largest error rate of a cell, a class in a group.",
        option="worst_group",
        needs="groups",
        **of_losses(worst_group),
    )
)
