"""The mean absolute error where there are few training samples."""

from __future__ import annotations

import math

from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index
from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def few_shot_mae(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """Mean |e| of the samples in few-shot bins; NaN where there is none."""
    assert context.bin_edges is not None and context.counts is not None
    few = context.counts.to(batch.y.device) < context.shots[1]
    bins = bin_index(batch.y, context.bin_edges.to(batch.y.device))
    return e.abs()[few[bins]].mean()


def soft(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """The same; an error where there is none."""
    value = few_shot_mae(e, batch, context)
    if math.isnan(value.item()) and not e.isnan().any():
        raise InputError(f"few_shot_mae: no sample is in a bin of fewer than {context.shots[1]} training samples, the "
                         "second of `shots`")  # fmt: skip
    return value


register(
    Metric(
        "few_shot_mae",
        "few-shot MAE",
        "Few-shot MAE: the mean absolute error in bins with few training samples, in the unit of the target.",
        reported=False,
        **of_errors(soft, few_shot_mae),
    )
)
