"""Difference of equal opportunity (Li et al. 2021, eq. 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._losses import cells, means, of_losses
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def deo(losses: Tensor, batch: Batch, context: Context, maximum: float) -> Tensor:
    """Σ_k (max_g L_kg - min_g L_kg), L_kg the mean loss of class k in group g; from 0 to K.

    For two classes and two groups it is |L_+1 - L_+2| + |L_-1 - L_-2|.
    """
    of_cells, present = (
        table.view(context.num_classes, context.num_groups) for table in means(losses, *cells(batch, context))
    )
    classes = present.any(1)
    highest = of_cells.masked_fill(~present, -torch.inf)[classes].amax(1)
    lowest = of_cells.masked_fill(~present, torch.inf)[classes].amin(1)
    return (highest - lowest).sum()


DEO = register(
    Metric(
        "deo",
        "DEO",
        "DEO, difference of equal opportunity: the largest less the smallest error rate of a class's groups, summed "
        "over the classes.",
        needs="groups",
        **of_losses(deo, "smooth"),
    )
)
