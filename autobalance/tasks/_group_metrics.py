"""True (0/1) metrics of predictions for groups, in percent. A cell is a class in a group."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GroupMetrics:
    """Errors in percent; None for a group or cell without samples, which the other figures leave out.

    Args:
        group_balanced_error: mean over the cells of the cell's error.
        worst_group_error: the largest error of a cell (Sagawa et al. 2020; Li et al. 2021, table 3).
        deo: difference of equal opportunity, Σ_k (max_g error_kg - min_g error_kg); for two classes and two groups
            |error_+1 - error_+2| + |error_-1 - error_-2| (Li et al. 2021, eq. 4.1). From 0 to 100 K.
        group_error: of all samples of a group, (G,).
        cell_error: (K, G).
    """

    group_balanced_error: float
    worst_group_error: float
    deo: float
    group_error: list[float | None]
    cell_error: list[list[float | None]]


def group_metrics(
    predictions: Tensor, target: Tensor, group: Tensor, num_classes: int, num_groups: int
) -> GroupMetrics:
    """Compares predicted classes (N,) with targets (N,), group by group.

    Args:
        predictions, target: 0..K-1.
        group: 0..G-1.
        num_classes, num_groups: K and G.
    """
    cells = target * num_groups + group
    number = num_classes * num_groups
    counts = torch.bincount(cells, minlength=number).view(num_classes, num_groups).double()
    wrong = torch.bincount(cells[predictions != target], minlength=number).view(num_classes, num_groups).double()
    errors = 100 * wrong / counts
    spreads = [row[~row.isnan()] for row in errors]
    return GroupMetrics(
        group_balanced_error=errors.nanmean().item(),
        worst_group_error=errors[~errors.isnan()].max().item(),
        deo=sum((row.max() - row.min()).item() for row in spreads if len(row)),
        group_error=_plain(100 * wrong.sum(0) / counts.sum(0)),
        cell_error=[_plain(row) for row in errors],
    )


def _plain(values: Tensor) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
