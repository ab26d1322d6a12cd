"""Batches in which every class, or cell, is as likely as any other."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.study._training import Training
from autobalance.training import Around, Stream


class Resampled(Around):
    """A stream that draws a cell first, all alike, and then one of its samples; as many samples an epoch as there are.

    Args:
        inner: says how the samples are taken, and what is drawn before ``start``.
        cells: each sample's class, or cell, (N,), int64 from 0 on.
        start: the share of the epochs from which this goes on.
    """

    def __init__(self, inner: Stream, cells: Tensor, start: float = 0.0) -> None:
        super().__init__(inner)
        self.cells, self.start = cells.cpu(), start

    def order(self, progress: float, generator: torch.Generator) -> list[Tensor]:
        if progress < self.start:
            return self.inner.order(progress, generator)
        number = len(self.cells)
        weight = 1 / torch.bincount(self.cells).double()[self.cells]
        index = torch.multinomial(weight, number, replacement=True, generator=generator)
        return list(index.tensor_split(self.recipe.steps_per_epoch(number)))


def by_class(stream: Stream, training: Training) -> Stream:
    """``stream`` with every class drawn as often as any other, for `Step.stream`."""
    return Resampled(stream, stream.samples.y)
