"""The epochs of a training, of one model or of several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.hypergradients import Inner, InnerState, inner_step
from autobalance.losses import Loss
from autobalance.training._targets import end_epoch


class Watched:
    """A loss that is trained with, as an inner problem calls it; its values are kept.

    Args:
        loss: put into training mode, told of each epoch, and handed the features where the model answers with them.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss.train()
        self._values: list[Tensor] = []

    def start_epoch(self, progress: float) -> None:
        self.loss.start_epoch(progress)
        self._values.clear()

    def __call__(self, hyper: Mapping[str, Tensor], output: Tensor, batch: Batch) -> Tensor:
        logits, features = output if isinstance(output, tuple) else (output, None)
        value = self.loss(logits, batch.y, group=batch.group, features=features)
        self._values.append(value.detach())
        return value

    def mean(self) -> float:
        """The mean value since the epoch began."""
        return torch.stack(self._values).mean().item()


def run_epochs(
    inner: Inner,
    losses: Sequence[Watched],
    epochs: int,
    draw: Callable[[float], Iterable[Batch]],
    on_epoch: Callable[[int, list[float]], None],
) -> InnerState:
    """Trains from the present weights of ``inner``, which stay as they are.

    Args:
        inner: what is trained, with ``losses`` behind its training loss.
        losses: one a model.
        epochs: how many.
        draw: (epochs done over all epochs) -> the batches of an epoch, each drawn when it is trained on.
        on_epoch: called after each epoch with (epochs done, each model's mean training loss).

    Returns:
        the state after the last epoch.

    Raises:
        FloatingPointError: a training loss became NaN or infinite.
    """
    state = inner.init()
    for epoch in range(epochs):
        for loss in losses:
            loss.start_epoch(epoch / epochs)
        for batch in draw(epoch / epochs):
            state, _ = inner_step(inner, state, {}, batch)
        state = end_epoch(inner, state)
        means = [loss.mean() for loss in losses]
        for place, mean in enumerate(means):
            if not math.isfinite(mean):
                which = f" of model {place}" if len(means) > 1 else ""
                raise FloatingPointError(f"the training loss{which} is {mean} in epoch {epoch + 1}")
        on_epoch(epoch + 1, means)
    return state


def no_objective(logits: Tensor, batch: Batch) -> Tensor:
    """For training alone, where no objective is looked at."""
    return logits.sum()
