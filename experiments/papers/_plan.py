"""Which trainings the benchmark is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autobalance.losses import Loss
from autobalance.losses.named import fixed_point, named_loss

#: In the order of their weight. Hyper-parameters of CDT are those of Ye et al. 2020, of VS those of Kini et al. 2021.
METHODS: Mapping[str, Mapping[str, Any]] = {
    "la": {},
    "ce": {},
    "vs": {"gamma": 0.15, "tau": 1.25},
    "ldam-drw": {},
    "cdt": {"gamma": 0.2},
}
#: What is trained on folds, so that offsets can be found on held-out outputs.
START = "la"
FOLDS = 3


@dataclass(frozen=True)
class Training:
    """One of the benchmark's trainings.

    Args:
        method: a fixed loss.
        seed: of the weights and the order of the samples.
        fold: which part of the training samples is held out; None: none, and the test samples are answered.
    """

    method: str
    seed: int
    fold: int | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.method}-{self.seed}" + ("" if self.fold is None else f"-fold{self.fold}")

    @property
    def head(self) -> str:
        """Of the model."""
        return named_loss(self.method).head

    def loss(self, counts: Tensor) -> Loss:
        """What is trained with, for the training samples of each class."""
        return fixed_point(self.method, counts.tolist(), **METHODS[self.method])

    def samples(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Positions that are trained on, and those that are held out; the folds of a seed are dealt by class."""
        held = torch.zeros(len(y), dtype=torch.bool)
        if self.fold is not None:
            generator = torch.Generator().manual_seed(self.seed)
            order = torch.randperm(len(y), generator=generator)
            order = order[y[order].argsort(stable=True)]  # class after class, in random order within each
            held[order[self.fold :: FOLDS]] = True
        return (~held).nonzero()[:, 0], held.nonzero()[:, 0]


def groups(seeds: int, methods: list[str]) -> Iterator[list[Training]]:
    """Trainings that go side by side, the weightier groups first."""
    first = [method for method in methods if method in (START, "ce")]
    yield [Training(method, seed) for method in first for seed in range(seeds)]
    if START in methods:
        yield [Training(START, seed, fold) for seed in range(seeds) for fold in range(FOLDS)]
    for method in methods:
        if method not in first:
            yield [Training(method, seed) for seed in range(seeds)]
