"""Cross-entropy that gives every class, or every cell, the same weight: breaks ties where few samples judge."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._balanced_error import balanced_error
from autobalance.tasks.metrics._group_balanced_error import group_balanced_error
from autobalance.tasks.metrics._largest import AT_ONCE
from autobalance.tasks.metrics._losses import OfLosses, cross_entropy
from autobalance.tasks.metrics._metric import Context, Exact, Metric
from autobalance.tasks.metrics._registry import register


def _cross_entropy_of(of: OfLosses) -> Exact:
    def exact(output: Tensor, batch: Batch, context: Context) -> float:
        rows = max(1, AT_ONCE // output.shape[1])
        parts = zip(output.split(rows), batch.y.split(rows), strict=True)
        losses = torch.cat([cross_entropy(part.double(), y) for part, y in parts])
        return of(losses, batch, context, 0.0).item()

    return exact


BALANCED_CE = register(
    Metric(
        "balanced_ce",
        "balanced cross-entropy",
        "Balanced cross-entropy: the mean over the classes of their samples' mean cross-entropy.",
        _cross_entropy_of(balanced_error),
        unit="",
        step="",
        column=False,
        digits=3,
    )
)
GROUP_BALANCED_CE = register(
    Metric(
        "group_balanced_ce",
        "group-balanced cross-entropy",
        "Group-balanced cross-entropy: the mean over the cells, a class in a group each, of their samples' mean "
        "cross-entropy.",
        _cross_entropy_of(group_balanced_error),
        needs="groups",
        unit="",
        step="",
        column=False,
        digits=3,
    )
)
