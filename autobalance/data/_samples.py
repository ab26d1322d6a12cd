"""Samples in memory, batches drawn from them, and the problem that they make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Batch(NamedTuple):
    """What one step sees: ``x`` of shape (B, ...), ``y`` of shape (B,), and where there are groups each sample's.

    ``draws`` are the random numbers that an augmentation is going to use on it, each (B, ...), by name: they are drawn
    with the batch, so that a step that is run again falls the same way.
    """

    x: Tensor
    y: Tensor
    group: Tensor | None = None
    draws: Mapping[str, Tensor] | None = None


@dataclass(frozen=True)
class Samples:
    """N samples held as tensors.

    Args:
        x: inputs, float, shape (N, ...).
        y: classes, int64, shape (N,), values 0..K-1; for regression targets, float.
        group: groups, int64, shape (N,), values 0..G-1, or None.
    """

    x: Tensor
    y: Tensor
    group: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Tensor) -> Batch:
        """The samples at ``index`` (int64, any length) as a batch."""
        return Batch(self.x[index], self.y[index], None if self.group is None else self.group[index])

    def all(self) -> Batch:
        """Every sample as one batch, without a copy."""
        return Batch(self.x, self.y, self.group)

    def subset(self, index: Tensor) -> Samples:
        batch = self.take(index)
        return Samples(batch.x, batch.y, batch.group)

    def join(self, other: Samples) -> Samples:
        """These samples followed by ``other``'s."""
        group = None if self.group is None or other.group is None else torch.cat([self.group, other.group])
        return Samples(torch.cat([self.x, other.x]), torch.cat([self.y, other.y]), group)

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


@dataclass(frozen=True)
class Problem:
    """A data set split for search: train and validation for designing the loss, test for one look at the end.

    Args:
        name: what the tables call it.
        train: samples that the inner loop trains on.
        validation: samples that the outer loop looks at, disjoint from ``train``.
        test: samples for the report alone.
        class_names: K names, in the order of the class indices.
        make_model: builds the model that the data source brings along, or None where ``--model`` chooses.
        bin_edges: for regression, whose targets are sorted into K bins with these K + 1 edges; the class names are then
            the bins'.
        own_validation: whether the source said which samples are for validation; else they were drawn from the training
            samples.
        group_names: G names, in the order of the group indices, where the samples have groups; otherwise None.
    """

    name: str
    train: Samples
    validation: Samples
    test: Samples
    class_names: tuple[str, ...]
    make_model: Callable[[], nn.Module] | None = None
    bin_edges: tuple[float, ...] | None = None
    own_validation: bool = False
    group_names: tuple[str, ...] | None = None

    @property
    def final_training(self) -> Samples:
        """What the trainings that are tested see: training and validation samples; or the training samples alone where
        the source brings validation samples of its own, as published results on such data do."""
        return self.train if self.own_validation else self.train.join(self.validation)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def num_groups(self) -> int:
        """G, 0 without groups."""
        return 0 if self.group_names is None else len(self.group_names)

    @property
    def num_outputs(self) -> int:
        """How many numbers a model answers with: logits, or one prediction."""
        return self.num_classes if self.bin_edges is None else 1

    def without_groups(self) -> Problem:
        """The same problem, as if nothing were known of its groups."""
        parts = {name: replace(getattr(self, name), group=None) for name in ("train", "validation", "test")}
        return replace(self, **parts, group_names=None)

    def to(self, device: torch.device | str) -> Problem:
        """The same problem with its samples on ``device``."""
        parts = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **parts)
