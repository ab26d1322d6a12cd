"""Samples in memory or elsewhere, and batches drawn from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._crops import resized_crop_and_flip
from autobalance.data._deferred import Deferred

#: Samples and numbers in a batch of `Samples.batches` at most: 55 images of 224 x 224.
MOST_SAMPLES, _MOST_NUMBERS = 2048, 2**23


def batch_size(shape: Sequence[int], copies: int = 1) -> int:
    """How many samples of ``shape``, times ``copies``, to look at in one go where nothing is trained."""
    return max(1, min(MOST_SAMPLES, _MOST_NUMBERS // (math.prod(shape) * copies)))


class Batch(NamedTuple):
    """What one step sees: ``x`` of shape (B, ...), ``y`` of shape (B,), and where there are groups each sample's.

    ``draws`` are the random numbers that an augmentation uses on it, each (B, ...), by name: they are drawn with the
    batch, so that a step that is run again gets the same ones.
    """

    x: Tensor
    y: Tensor
    group: Tensor | None = None
    draws: Mapping[str, Tensor] | None = None


@dataclass(frozen=True)
class Samples:
    """N samples. Inputs are in memory as a tensor, or `Deferred`; outside this room ask for them by `take`.

    Args:
        x: inputs, shape (N, ...), floats, or integers such as numbers of words.
        y: classes, int64, shape (N,), values 0..K-1; for regression targets, float.
        group: groups, int64, shape (N,), values 0..G-1, or None.
    """

    x: Tensor | Deferred
    y: Tensor
    group: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.x.shape[1:])

    @property
    def device(self) -> torch.device:
        return self.y.device

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Batch:
        """The samples at ``index`` (int64, any length) as a batch.

        Args:
            index: positions.
            crops: cuts each image at random as `draw_crops` says.
        """
        if crops is not None and len(self.shape) != 3:
            raise InputError(f"images (C, H, W) can be cut, not samples of shape {self.shape}")
        if isinstance(self.x, Deferred):
            x = self.x.take(index, crops)
        else:
            x = self.x[index] if crops is None else resized_crop_and_flip(self.x[index], crops)
        return Batch(x, self.y[index], None if self.group is None else self.group[index])

    def first(self, number: int = 1) -> Tensor:
        """The inputs of the first samples."""
        return self.take(torch.arange(number)).x

    def batches(self, most: int = MOST_SAMPLES) -> Iterator[Batch]:
        """All samples in order, in batches of at most ``most`` that are small enough for the memory."""
        for index in torch.arange(len(self)).split(min(most, batch_size(self.shape))):
            yield self.take(index)

    def all(self) -> Batch:
        """Every sample as one batch, without a copy where they are in memory."""
        if isinstance(self.x, Deferred):
            return self.take(torch.arange(len(self)))
        return Batch(self.x, self.y, self.group)

    def without_inputs(self) -> Batch:
        """Classes and groups of every sample without the inputs: what is needed to judge outputs."""
        return Batch(torch.empty(0, device=self.device), self.y, self.group)

    def subset(self, index: Tensor) -> Samples:
        x = self.x.subset(index) if isinstance(self.x, Deferred) else self.x[index]
        return Samples(x, self.y[index], None if self.group is None else self.group[index])

    def join(self, other: Samples) -> Samples:
        """These samples followed by ``other``'s."""
        group = None if self.group is None or other.group is None else torch.cat([self.group, other.group])
        if isinstance(self.x, Deferred):
            assert isinstance(other.x, Deferred)
            x: Tensor | Deferred = self.x.join(other.x)
        else:
            assert isinstance(other.x, Tensor)
            x = torch.cat([self.x, other.x])
        return Samples(x, torch.cat([self.y, other.y]), group)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Samples:
        """The same samples on ``device``, with inputs of type ``dtype`` where they are floating-point numbers."""
        x = self.x.to(device, dtype if self.x.is_floating_point() else None)
        return Samples(x, self.y.to(device), None if self.group is None else self.group.to(device))

    def class_counts(self, num_classes: int) -> Tensor:
        """Number of samples of each class, int64, shape (K,)."""
        return torch.bincount(self.y, minlength=num_classes)

    def cell_counts(self, num_classes: int, num_groups: int) -> Tensor:
        """Number of samples of each class in each group, int64, shape (K, G). Needs groups."""
        assert self.group is not None
        cells = torch.bincount(self.y * num_groups + self.group, minlength=num_classes * num_groups)
        return cells.view(num_classes, num_groups)
