"""Which trainings the benchmark is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
        decay: the weight decay λ; None: the published recipe's.
    """

    method: str
    seed: int
    fold: int | None = None
    decay: float | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        decay = "" if self.decay is None else f"-decay{self.decay:g}"
        return f"{self.method}{decay}-{self.seed}" + ("" if self.fold is None else f"-fold{self.fold}")

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


def groups(
    seeds: int, methods: list[str], decays: Sequence[float] = (), choose: Callable[[], float | None] = lambda: None
) -> Iterator[list[Training]]:
    """Trainings that go side by side, the weightier groups first.

    Args:
        seeds: of each method.
        methods: names of `METHODS`.
        decays: weight decays with which the search's start is trained on the first seed's folds.
        choose: one of them, asked once those trainings are done.
    """
    first = [method for method in methods if method in (START, "ce")]
    if START in methods and decays:
        yield [one for decay in decays for one in on_folds([0], decay)]
        decay = choose()
        yield on_folds(range(1, seeds), decay)
        yield [Training(START, seed, decay=decay) for seed in range(seeds)]
    yield [Training(method, seed) for method in first for seed in range(seeds)]
    if START in methods and not decays:
        yield on_folds(range(seeds))
    for method in methods:
        if method not in first:
            yield [Training(method, seed) for seed in range(seeds)]


def on_folds(seeds: Sequence[int], decay: float | None = None) -> list[Training]:
    """The search's trainings: its start, on each fold of each seed."""
    return [Training(START, seed, fold, decay) for seed in seeds for fold in range(FOLDS)]
