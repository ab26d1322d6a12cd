"""A data set split for search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import nn

from autobalance.common import trimmed
from autobalance.common.density import make_bin_edges
from autobalance.data._samples import Samples
from autobalance.data.encoders import Encoder


@dataclass(frozen=True)
class Problem:
    """A data set split for search: train and validation for designing the loss, test for one look at the end.

    Args:
        name: what the tables call it.
        train: samples that the inner loop trains on.
        validation: samples that the outer loop looks at, disjoint from ``train``.
        test: samples for the report alone.
        class_names: K names, in the order of the class indices.
        make_model: builds the model that the data source brings along; None where it brings none.
        bin_edges: for regression, whose targets are sorted into K bins with these K + 1 edges; the class names are then
            the bins'.
        own_validation: whether the source said which samples are for validation; else they were drawn from the training
            samples.
        group_names: G names, in the order of the group indices, where the samples have groups; otherwise None.
        encoder: turns further samples into inputs like those of ``train``; None: they are inputs as they come.
        notes: what people should know of how the samples were read, a sentence each.
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
    encoder: Encoder | None = None
    notes: tuple[str, ...] = ()

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

    def to(self, device: torch.device | str) -> Problem:
        """The same problem with its samples on ``device``."""
        parts = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **parts)

    def binned(self, bins: int | None) -> Problem:
        """The same problem as a regression, its float targets sorted into ``bins``, or as many as the training targets
        suggest (`make_bin_edges`)."""
        edges = tuple(make_bin_edges(self.train.y, bins).tolist())
        return replace(self, class_names=bin_names(edges), bin_edges=edges)


def bin_names(edges: tuple[float, ...]) -> tuple[str, ...]:
    """What people call the bins: the whole number in the middle of a bin, else ``low to high``."""
    if all(edge % 1 == 0.5 for edge in edges) and all(b - a == 1 for a, b in pairwise(edges)):
        return tuple(f"{edge + 0.5:.0f}" for edge in edges[:-1])
    return tuple(f"{trimmed(a, 4)} to {trimmed(b, 4)}" for a, b in pairwise(edges))
