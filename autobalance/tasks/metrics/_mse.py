"""The mean squared error."""

from __future__ import annotations

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register


def mse(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """Mean e²."""
    return (e**2).mean()


MSE = register(
    Metric(
        "mse", "MSE", "MSE: the mean squared error, in the squared unit of the target.", column=False, **of_errors(mse)
    )
)
