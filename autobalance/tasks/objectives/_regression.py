"""Objectives for numbers to predict."""

from __future__ import annotations

from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index
from autobalance.data import Batch
from autobalance.tasks.objectives._functionals import balanced_weights
from autobalance.tasks.objectives._own import Objective, OwnFunction, own

#: Objectives for regression.
REGRESSION_NAMES = ("balanced_mae", "mae", "mse", "gm")
#: What the geometric mean adds to each error, as a share of the targets' standard deviation: its slope 1/|e| has no
#: bound otherwise.
GM_FLOOR = 0.01


def make_regression_objective(objective: str | OwnFunction, bin_edges: Tensor, scale: float) -> Objective:
    """An objective of (predictions, batch) by its name, or from a function of one's own.

    With the errors e of a batch: ``balanced_mae``: the mean over the bins in the batch of the bin's mean |e|; ``mae``:
    mean |e|; ``mse``: mean e²; ``gm``: the geometric mean of √(e² + ε²), with ε = 0.01 ``scale``.

    Args:
        objective: its name, ``package.module:function``, or a function of (predictions, targets, group).
        bin_edges: (K + 1,).
        scale: the standard deviation of the targets.

    Raises:
        InputError (a ValueError): an unknown name.
    """
    if (function := own(objective)) is not None:
        return function
    if objective not in REGRESSION_NAMES:
        raise InputError(
            f"no objective is called {objective!r}; for regression there are {', '.join(REGRESSION_NAMES)}"
        )

    def value(prediction: Tensor, batch: Batch) -> Tensor:
        e = prediction.flatten() - batch.y
        if objective == "balanced_mae":
            bins = bin_index(batch.y, bin_edges)
            return e.abs() @ balanced_weights(bins, len(bin_edges) - 1, e)
        if objective == "mae":
            return e.abs().mean()
        if objective == "mse":
            return (e**2).mean()
        return (0.5 * (e**2 + (GM_FLOOR * scale) ** 2).log()).mean().exp()

    return value
