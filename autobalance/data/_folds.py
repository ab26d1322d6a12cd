"""Cross-validation folds of a set of samples: each sample validates in one fold and trains in all the others."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index
from autobalance.data._problem import Problem
from autobalance.data._samples import MOST_SAMPLES, Batch, Samples, batch_size

Fold = tuple[Tensor, Tensor]


def stratified_folds(problem: Problem, number: int, seed: int) -> list[Fold]:
    """Deals the training and validation samples into ``number`` folds; the test samples are not touched.

    The samples of each class (or bin, and group of it) are spread as evenly as their number allows: one with fewer
    samples than there are folds is held out in some of them only.

    Args:
        problem: its training samples, followed by its validation samples, are dealt again.
        number: of folds, at least 2.
        seed: of the dealing.

    Returns:
        for each fold the positions, in ``problem.train.join(problem.validation)``, of what it trains on and of what it
        holds out.

    Raises:
        InputError: the source brings validation samples of its own; a class has a single sample, which cannot be
            trained on and held out; or all have fewer samples than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    if problem.own_validation:
        raise InputError(f"{problem.name} brings validation samples of its own: leave `folds` out")
    samples = problem.train.join(problem.validation)
    if problem.bin_edges is None and len(single := (samples.class_counts(problem.num_classes) == 1).nonzero()):
        raise InputError(
            f"class {problem.class_names[int(single[0])]!r} has one sample, which folds cannot both train on and hold "
            "out: leave the folds out, or merge the class with another"
        )
    cell = stratum(samples, problem.bin_edges)
    counts = np.bincount(cell)
    if counts.max() < number:
        raise InputError(f"{number} folds are too many: the largest class has {counts.max()} samples; use fewer")
    dealer = StratifiedKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return [(torch.from_numpy(rest), torch.from_numpy(held)) for rest, held in dealer.split(cell, cell)]


def stratum(samples: Samples | Batch, bin_edges: Sequence[float] | None) -> np.ndarray:
    """What the splits keep in proportion: each sample's class or bin, and its group."""
    y = samples.y.cpu()
    label = y if bin_edges is None else bin_index(y, torch.tensor(bin_edges, dtype=torch.float64))
    if samples.group is not None:
        label = label * (int(samples.group.max()) + 1) + samples.group.cpu()
    return label.numpy()


@dataclass(frozen=True)
class FoldedSamples:
    """One part of every fold, side by side: as `Samples`, with a first dimension of F folds in every batch.

    Args:
        samples: what was dealt.
        index: (F, n), positions in ``samples`` of each fold's part.
    """

    samples: Samples
    index: Tensor

    @classmethod
    def of(cls, samples: Samples, parts: Sequence[Tensor], labels: np.ndarray) -> FoldedSamples:
        """The parts made equally long, which side by side they must be, by leaving out samples of the largest class.

        Args:
            samples: what was dealt.
            parts: F positions, of lengths that differ by a few.
            labels: of all samples.
        """
        largest = int(np.bincount(labels).argmax())
        shortest = min(map(len, parts))
        equal = []
        for part in parts:
            spare = torch.from_numpy(np.flatnonzero(labels[part.numpy()] == largest))[: len(part) - shortest]
            kept = torch.ones(len(part), dtype=torch.bool)
            kept[spare] = False
            equal.append(part[kept])
        return cls(samples, torch.stack(equal))

    @property
    def folds(self) -> int:
        return len(self.index)

    def __len__(self) -> int:
        """The samples of one fold."""
        return self.index.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.samples.shape

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Batch:
        """The samples at ``index`` (int64, (B,)) of every fold, (F, B, ...); ``crops`` as in `Samples.take`."""
        flat = self.samples.take(self.index[:, index].flatten(), crops)
        shape = (self.folds, len(index))
        group = None if flat.group is None else flat.group.unflatten(0, shape)
        return Batch(flat.x.unflatten(0, shape), flat.y.unflatten(0, shape), group)

    def batches(self, most: int = MOST_SAMPLES) -> Iterator[Batch]:
        """Every fold's samples in order, in batches of at most ``most`` that are small enough for the memory."""
        for index in torch.arange(len(self)).split(min(most, batch_size(self.shape, self.folds))):
            yield self.take(index)

    def without_inputs(self) -> Batch:
        """Classes and groups of every fold's samples, (F, n), and no inputs."""
        y, group = self.samples.y, self.samples.group
        index = self.index.to(y.device)
        return Batch(torch.empty(0, device=y.device), y[index], None if group is None else group[index])

    def all(self) -> Batch:
        """Every fold's samples, (F, n, ...)."""
        return self.take(torch.arange(len(self)))


def side_by_side(problem: Problem, folds: Sequence[Fold]) -> tuple[FoldedSamples, FoldedSamples]:
    """What the folds train on, and what they hold out."""
    pool = problem.train.join(problem.validation)
    labels = stratum(pool, problem.bin_edges)
    rest, held = zip(*folds, strict=True)
    return FoldedSamples.of(pool, rest, labels), FoldedSamples.of(pool, held, labels)
