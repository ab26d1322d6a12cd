"""Metrics that average the errors e = prediction - target of single samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._metric import Context, Exact, Soft

#: (errors (B,), batch, context) -> a scalar.
OfErrors = Callable[[Tensor, Batch, Context], Tensor]


class Distance(TypedDict):
    """What the metrics of numbers share."""

    exact: Exact
    soft: Soft
    needs: Literal["bins"]
    unit: str
    step: str
    digits: None


def of_errors(soft: OfErrors, exact: OfErrors | None = None) -> Distance:
    """The forms of a metric of errors, in the unit of the target.

    Args:
        soft: differentiable.
        exact: in float64; None: ``soft``.
    """

    def true(output: Tensor, batch: Batch, context: Context) -> float:
        y = batch.y.double()
        return (exact or soft)(output.detach().double().flatten() - y, batch._replace(y=y), context).item()

    def value(output: Tensor, batch: Batch, context: Context) -> Tensor:
        return soft(output.flatten() - batch.y, batch, context)

    return {"exact": true, "soft": value, "needs": "bins", "unit": "", "step": "", "digits": None}
