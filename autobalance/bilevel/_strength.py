"""The strength of feature-distribution smoothing as a number that is searched along with the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from autobalance.cli._config import STRENGTH
from autobalance.data import Batch
from autobalance.training import SeesTargets

#: What one unit of the searched number means for the logit of the strength.
UNIT = 4.0


def strength_of(raw: Mapping[str, Tensor]) -> Tensor:
    """The strength at a searched number a: sigmoid(UNIT · a), 0.5 at a = 0, a scalar between 0 and 1."""
    return torch.sigmoid(UNIT * raw[STRENGTH])


def showing(
    model: SeesTargets, searched: bool, before: Callable[[Mapping[str, Tensor], Batch], Batch] | None = None
) -> Callable[[Mapping[str, Tensor], Batch], Batch]:
    """The transform of training batches (see `Inner`) that shows ``model`` their targets, and the strength where it is
    searched, before it is called on them. ``before`` is a transform that goes first."""

    def transform(hyper: Mapping[str, Tensor], batch: Batch) -> Batch:
        batch = batch if before is None else before(hyper, batch)
        model.see(batch.y, strength_of(hyper) if searched else None)
        return batch

    return transform
