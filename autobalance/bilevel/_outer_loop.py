"""When and how the searched numbers are moved within a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.common import InputError, check_one_of, check_value


@dataclass(frozen=True)
class OuterLoop:
    """When and how the searched numbers are moved within a training.

    Args:
        warmup: share of the epochs that only train the model, with the loss at its start.
        every: training steps between hypergradients, those that are differentiated through included; None: as the
            engine says, 20 with most and 4 with one-step.
        lr: step of the outer optimiser, in units of log w, l and log Δ.
        betas: of Adam.
        batch_size: validation samples a hypergradient, drawn anew each time; all of them where there are fewer.
        averaged: share of the search phase, at its end, over which the searched numbers are averaged.
        optimizer: ``adam``, or ``sgd`` as published (Li et al. 2021, and their released code).
        momentum, weight_decay: of SGD.
        rise: epochs from the first hypergradient on in which the step rises linearly.
        milestones: when the step is multiplied by ``lr_decay``, below 1 a share of the epochs, from 1 on an epoch.

    Raises:
        InputError: a value that cannot be.
    """

    warmup: float = 0.3
    every: int | None = None
    lr: float = 0.05
    betas: tuple[float, float] = (0.8, 0.99)
    batch_size: int = 512
    averaged: float = 0.5
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    rise: int = 0
    milestones: tuple[float, ...] = ()
    lr_decay: float = 0.1

    def __post_init__(self) -> None:
        check_value("warmup", self.warmup, at_least=0, below=1)
        if self.every is not None:
            check_value("every", self.every, at_least=1, whole=True)
        check_value("lr", self.lr, above=0)
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise InputError(f"`betas` is {self.betas!r}; it has to be two numbers, as (0.8, 0.99)")
        for beta in self.betas:
            check_value("betas", beta, at_least=0, below=1)
        check_value("batch_size", self.batch_size, at_least=1, whole=True)
        check_value("averaged", self.averaged, at_least=0, at_most=1)
        check_one_of("optimizer", self.optimizer, ("adam", "sgd"))
        check_value("momentum", self.momentum, at_least=0, below=1)
        check_value("weight_decay", self.weight_decay, at_least=0)
        if self.weight_decay and self.optimizer != "sgd":
            raise InputError(f"`weight_decay` {self.weight_decay} has no effect with the outer `optimizer` adam")
        check_value("rise", self.rise, at_least=0, whole=True)
        check_value("lr_decay", self.lr_decay, above=0, below=1)
        if not isinstance(self.milestones, tuple | list):
            raise InputError(f"`milestones` is {self.milestones!r}; it has to be numbers, as (220, 260)")
        for milestone in self.milestones:
            check_value("milestones", milestone, above=0)
        object.__setattr__(self, "milestones", tuple(self.milestones))

    def factor(self, epoch: int, first: int, epochs: int) -> float:
        """What the step is multiplied by.

        Args:
            epoch: epochs done.
            first: epochs before the first hypergradient.
            epochs: of the training.
        """
        if epoch - first < self.rise:
            return (epoch - first + 1) / self.rise
        return self.lr_decay ** sum(epoch >= (m * epochs if m < 1 else m) for m in self.milestones)

    def optimiser(self, raw: Mapping[str, Tensor], units: Mapping[str, float]) -> torch.optim.Optimizer:
        """The outer optimiser of the searched numbers; ``units`` multiply the steps of some."""
        groups = [{"params": [value], "lr": self.lr * units.get(name, 1.0)} for name, value in raw.items()]
        if self.optimizer == "adam":
            return torch.optim.Adam(groups, betas=self.betas)
        return torch.optim.SGD(groups, momentum=self.momentum, weight_decay=self.weight_decay)
