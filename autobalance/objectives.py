"""What the search is judged by: differentiable objectives of the validation logits."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from autobalance.data import Batch
from autobalance.density import bin_index
from autobalance.errors import InputError

Objective = Callable[[Tensor, Batch], Tensor]


def balanced_error(logits: Tensor, batch: Batch) -> Tensor:
    """Balanced cross-entropy: the mean over the classes in the batch of the class's mean cross-entropy.

    The surrogate of the balanced error 1 - mean_k P(prediction = k | class k). It acts on the raw logits, whose
    largest one is the prediction (Li et al. 2021, section 2).
    """
    return F.cross_entropy(logits, batch.y, reduction="none") @ balanced_weights(batch.y, logits.shape[1], logits)


def error(logits: Tensor, batch: Batch) -> Tensor:
    """Plain cross-entropy, the surrogate of the overall error."""
    return F.cross_entropy(logits, batch.y)


def balanced_weights(y: Tensor, num_classes: int, like: Tensor) -> Tensor:
    """A weight a sample, (B,), that gives every class in the batch the same share; they sum to one."""
    counts = y.bincount(minlength=num_classes).to(like)
    return 1 / (counts[y] * (counts > 0).sum())


_OBJECTIVES: dict[str, Objective] = {"balanced_error": balanced_error, "error": error}
NAMES = tuple(_OBJECTIVES)


#: Objectives for regression.
REGRESSION_NAMES = ("balanced_mae", "mae", "mse", "gm")
#: What the geometric mean adds to each error, as a share of the targets' standard deviation: its slope 1/|e| has no
#: bound otherwise.
GM_FLOOR = 0.01


def make_objective(objective: str | Objective) -> Objective:
    """An objective by its name; a callable of (logits, batch) is handed through."""
    if callable(objective):
        return objective
    if objective not in _OBJECTIVES:
        raise InputError(f"no objective is called {objective!r}; there are {', '.join(NAMES)}")
    return _OBJECTIVES[objective]


def make_regression_objective(objective: str | Objective, bin_edges: Tensor, scale: float) -> Objective:
    """An objective of (predictions, batch) by its name; a callable is handed through.

    With the errors e of a batch: ``balanced_mae``: the mean over the bins in the batch of the bin's mean |e|; ``mae``:
    mean |e|; ``mse``: mean e²; ``gm``: the geometric mean of √(e² + ε²), with ε = 0.01 ``scale``.

    Args:
        objective: its name, or a function.
        bin_edges: (K + 1,).
        scale: the standard deviation of the targets.

    Raises:
        InputError (a ValueError): an unknown name.
    """
    if callable(objective):
        return objective
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
