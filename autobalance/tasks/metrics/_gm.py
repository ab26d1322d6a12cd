"""The geometric mean of the errors (Yang et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._errors import of_errors
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register

#: What the soft form adds to each error, as a share of the targets' standard deviation: its slope 1/|e| has no bound
#: otherwise.
GM_FLOOR = 0.01
#: Stands for an error of exactly zero, as in the released code.
ZERO = 1e-10


def gm(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """(∏ |e|)^(1/N)."""
    size = e.abs()
    return torch.where(size == 0, ZERO, size).log().mean().exp()


def soft_gm(e: Tensor, batch: Batch, context: Context) -> Tensor:
    """The geometric mean of √(e² + ε²), with ε = 0.01 of the targets' standard deviation."""
    return (0.5 * (e**2 + (GM_FLOOR * context.scale) ** 2).log()).mean().exp()


GM = register(
    Metric(
        "gm",
        "GM",
        "GM: the geometric mean of the absolute errors, in the unit of the target.",
        column=False,
        **of_errors(soft_gm, gm),
    )
)
