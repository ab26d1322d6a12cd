"""Metrics that average the losses of single samples: over all, over classes, over cells.

With 0/1 losses it is the metric itself, with the losses of a surrogate what the search makes small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._largest import Largest, Outputs
from autobalance.tasks.metrics._metric import Context, Exact, Soft, SoftConfusion, predicted

#: Of the soft maximum over classes or cells, in the unit of the losses: those whose mean losses differ by much less
#: count alike, and one that is worse by much more counts alone.
TEMPERATURE = 0.2


def cross_entropy(logits: Outputs, y: Tensor) -> Tensor:
    """-log p_y, (B,). Over log 2 it bounds the 0/1 loss from above; its slope does not vanish far from the boundary."""
    if isinstance(logits, Largest):
        return logits.cross_entropy()
    return F.cross_entropy(logits, y, reduction="none")


def smooth(logits: Outputs, y: Tensor) -> Tensor:
    """1 - p_y, (B,): the 0/1 loss, smoothed: the chance that a prediction drawn from the softmax is wrong."""
    return -torch.expm1(-cross_entropy(logits, y))


def zero_one(output: Outputs, y: Tensor) -> Tensor:
    """1 where the predicted class is not the target, else 0, (B,), float64; see `predicted`."""
    return (predicted(output) != y).double()


SURROGATES: Mapping[str, Callable[[Outputs, Tensor], Tensor]] = {"ce": cross_entropy, "smooth": smooth}

#: (losses (B,), batch, context, temperature of the soft maximum where it has one) -> a scalar. Classes, groups and
#: cells that the batch has no samples of are left out.
OfLosses = Callable[[Tensor, Batch, Context, float], Tensor]


class Forms(TypedDict):
    """The forms of a `Metric`."""

    exact: Exact
    of_classes: bool
    of_largest: bool
    soft: Soft
    soft_confusion: SoftConfusion
    surrogates: Mapping[str, Soft]


def of_losses(of: OfLosses, surrogate: str = "ce") -> Forms:
    """The forms of a metric that averages the samples' losses.

    Args:
        of: what is averaged, and over what.
        surrogate: whose losses the soft form has, of `SURROGATES`.
    """

    def exact(output: Outputs, batch: Batch, context: Context) -> float:
        return 100 * of(zero_one(output, batch.y), batch, context, 0.0).item()

    def soft(losses: Callable[[Outputs, Tensor], Tensor], output: Outputs, batch: Batch, context: Context) -> Tensor:
        return of(losses(output, batch.y), batch, context, TEMPERATURE)

    def soft_confusion(output: Outputs, batch: Batch, context: Context, temperature: float, maximum: float) -> Tensor:
        return of(smooth(output / temperature, batch.y), batch, context, maximum)

    surrogates: dict[str, Soft] = {name: partial(soft, losses) for name, losses in SURROGATES.items()}
    return {
        "exact": exact,
        "of_classes": True,
        "of_largest": True,
        "soft": surrogates[surrogate],
        "soft_confusion": soft_confusion,
        "surrogates": surrogates,
    }


def balanced_weights(index: Tensor, number: int, like: Tensor) -> Tensor:
    """A weight a sample, (B,), that gives each of the ``number`` values of ``index`` that occur the same share; they
    sum to one."""
    counts = index.bincount(minlength=number).to(like)
    return 1 / (counts[index] * (counts > 0).sum())


def cells(batch: Batch, context: Context) -> tuple[Tensor, int]:
    """Each sample's cell, a class in a group, as one number y G + g, (B,), and how many cells there are."""
    assert batch.group is not None
    return batch.y * context.num_groups + batch.group, context.num_classes * context.num_groups


def means(losses: Tensor, index: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The mean loss of each of the ``number`` values of ``index``, and whether it occurs, both (number,)."""
    counts = index.bincount(minlength=number)
    sums = losses.new_zeros(number).index_add(0, index, losses)
    return sums / counts.clamp_min(1), counts > 0
