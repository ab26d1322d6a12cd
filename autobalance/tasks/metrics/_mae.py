"""The mean absolute error."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def mae(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """Mean |e|."""
    return e.abs().mean()


MAE = register(Metric("mae", "MAE", "MAE: the mean absolute error, in the unit of the target.", **of_errors(mae)))
