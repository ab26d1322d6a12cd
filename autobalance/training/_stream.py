"""What a training is shown: the batches of its samples, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autobalance.data import Batch, Samples
from autobalance.training._recipe import Recipe


class Stream:
    """The batches of a training as its recipe draws them.

    Args:
        samples: what is trained on.
        recipe: how.
    """

    def __init__(self, samples: Samples, recipe: Recipe) -> None:
        self.samples, self.recipe = samples, recipe

    def order(self, progress: float, generator: torch.Generator) -> list[Tensor]:
        """An epoch's batches, as positions of samples.

        Args:
            progress: epochs done over all epochs, from 0 to below 1.
            generator: draws them.
        """
        return self.recipe.batches(len(self.samples), generator)

    def take(self, index: Tensor, generator: torch.Generator) -> Batch:
        """The samples at ``index``, (B,), as they are trained on."""
        return self.recipe.take(self.samples, index, generator)

    def batches(self, progress: float, generator: torch.Generator) -> Iterator[Batch]:
        """An epoch's batches, each drawn when it is asked for, see `order`."""
        for index in self.order(progress, generator):
            yield self.take(index, generator)


class Around(Stream):
    """Another stream as it is: for subclasses that draw other positions, or change the samples that are taken.

    Args:
        inner: the other one.
    """

    def __init__(self, inner: Stream) -> None:
        super().__init__(inner.samples, inner.recipe)
        self.inner = inner

    def order(self, progress: float, generator: torch.Generator) -> list[Tensor]:
        return self.inner.order(progress, generator)

    def take(self, index: Tensor, generator: torch.Generator) -> Batch:
        return self.inner.take(index, generator)
