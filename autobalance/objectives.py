"""What the search is judged by: differentiable objectives of the validation logits."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from autobalance.data import Batch
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


def make_objective(objective: str | Objective) -> Objective:
    """An objective by its name; a callable of (logits, batch) is handed through."""
    if callable(objective):
        return objective
    if objective not in _OBJECTIVES:
        raise InputError(f"no objective is called {objective!r}; there are {', '.join(NAMES)}")
    return _OBJECTIVES[objective]
