"""Models whose layers use the targets in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from autobalance.hypergradients import Inner, InnerState


@runtime_checkable
class SeesTargets(Protocol):
    """A model whose layers use the targets in training, as feature-distribution smoothing does."""

    def see(self, targets: Tensor, strength: Tensor | None = None) -> None:
        """The targets, (B,), of the batch that the model is called on next, and how strongly they are used there, from
        0 to 1; None: as the model has it."""

    def end_epoch(self) -> None:
        """An epoch is over. May change buffers, no weights."""


def end_epoch(inner: Inner, state: InnerState) -> InnerState:
    """The state with the buffers that a model that `SeesTargets` makes of the epoch that is over."""
    if not isinstance(inner.model, SeesTargets):
        return state
    state.copy_to(inner.model)
    inner.model.end_epoch()
    return replace(state, buffers=inner.init().buffers)
