"""What is searched of the augmentation: the strength and the probability of each operation, tied over the classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.bilevel.space._ties import frequency_basis
from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.data.augmentation import (
    OPERATIONS,
    Policy,
    changed_by,
    check_operations,
    default_operations,
    draw,
    kind_of,
)

#: Where a search starts: strengths as a share of the largest, and probabilities.
START_SHARE, START_PROBABILITY = 0.25, 0.5
#: What one unit of a searched number means on the logits of strength and probability.
UNIT = 3.0
#: Of the relaxed gates in the search; DADA's value.
TEMPERATURE = 0.5


def one_basis(class_counts: Tensor) -> Tensor:
    """Ones, (K, 1): a single policy for all classes, as that of MADAO (Hataya et al. 2022)."""
    return torch.ones_like(class_counts)[:, None]


def level_and_frequency_basis(class_counts: Tensor) -> Tensor:
    """A level and log n_k less its mean, which is at most 1 in size, (K, 2): tail classes may differ from head ones."""
    slope = frequency_basis(class_counts)
    largest = slope.abs().max()
    if largest == 0:
        raise InputError(
            "all classes have the same number of samples, so no augmentation can follow their frequency: set "
            "`tie_augment` to all or class"
        )
    return torch.cat([torch.ones_like(slope), slope / largest], 1)


def every_basis(class_counts: Tensor) -> Tensor:
    """The identity, (K, K): every class has a policy of its own."""
    return torch.eye(len(class_counts)).to(class_counts)


#: How the policies of the classes are tied, by name.
AUGMENT_TIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "all": one_basis,
    "frequency": level_and_frequency_basis,
    "class": every_basis,
}


#: Under this name the augmentation is among the free parameters.
AUGMENT = "augment"


class AugmentationSpace:
    """The policies around a start. With the search's raw numbers a, all zero at the start, and the basis B of the tie,

        μ_k = μ_max σ(logit 0.25 + 3 (B a_μ)_k),    π_k = σ(3 (B a_π)_k)

    for each operation. In the search an operation's gate is relaxed (`gates`, with v uniform and τ = 0.5), and the gate
    multiplies the strength:

        x̃ = T(x; b μ_y),    b = σ((logit π_y + logit v) / τ)

    so that all of it is differentiable; the policy that is found has gates that are on or off, the limit τ → 0. Since
    every operation is the identity at strength 0, T(x; b μ) is x where b = 0.

    Args:
        x: samples (B, ...) whose shape, type and device are those of all that will be augmented.
        class_counts: training samples of each class, (K,), or of each class and group, (K, G).
        operations: names; None for all that have an effect on such samples.
        tie: ``all`` (one policy), ``frequency`` (two numbers: a level, and a slope over log n_k) or ``class``; with
            groups each cell counts as a class.
        class_names, group_names: for the policy that is found.

    Raises:
        InputError (a ValueError): unknown names, or nothing to tie by.
    """

    def __init__(
        self,
        x: Tensor,
        class_counts: Tensor,
        operations: Sequence[str] | None = None,
        tie: str = "frequency",
        class_names: Sequence[str] | None = None,
        group_names: Sequence[str] | None = None,
    ) -> None:
        shape = x.shape[1:]
        self.kind = kind_of(shape)
        self.operations = (
            default_operations(shape) if operations is None else check_operations(tuple(operations), shape)
        )
        if tie not in AUGMENT_TIES:
            raise InputError(f"an augmentation cannot be tied by {tie!r}; choose one of {', '.join(AUGMENT_TIES)}")
        self.tie, self.class_names, self.group_names = tie, class_names, group_names
        counts = class_counts.to(x)
        self._cells = counts.shape
        self._basis = AUGMENT_TIES[tie](counts.clamp_min(1).flatten())
        self._largest = torch.tensor([OPERATIONS[self.kind][name].largest for name in self.operations]).to(x)

    def init(self) -> dict[str, Tensor]:
        """The raw numbers of the start: zeros, one for each column of the basis and each operation."""
        shape = self._basis.shape[1], len(self.operations)
        return {name: self._basis.new_zeros(shape) for name in ("augment_strength", "augment_probability")}

    def tables(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Strengths and probabilities, (K, O) or (K, G, O), differentiable in ``raw``."""
        start = math.log(START_SHARE / (1 - START_SHARE))
        strength = self._largest * torch.sigmoid(start + UNIT * self._basis @ raw["augment_strength"])
        start = math.log(START_PROBABILITY / (1 - START_PROBABILITY))
        probability = torch.sigmoid(start + UNIT * self._basis @ raw["augment_probability"])
        return strength.unflatten(0, self._cells), probability.unflatten(0, self._cells)

    def describe(self) -> dict[str, Any]:
        """What was chosen, fit for JSON."""
        return {"tie_augment": self.tie, "operations": list(self.operations)}

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch with the random numbers that `transform` will use on it."""
        return batch._replace(draws=draw(self.kind, self.operations, batch.x, generator))

    def transform(self, raw: Mapping[str, Tensor], batch: Batch) -> Batch:
        """The batch as it is trained on at ``raw``, differentiable in it. A batch without draws stays as it is."""
        if batch.draws is None:
            return batch
        cells = (batch.y,) if batch.group is None or len(self._cells) == 1 else (batch.y, batch.group)
        strength, probability = (table[cells] for table in self.tables(raw))
        x = changed_by(self.kind, self.operations, batch.x, strength, probability, batch.draws, TEMPERATURE)
        return batch._replace(x=x)

    def policy(self, raw: Mapping[str, Tensor]) -> Policy:
        """The policy at ``raw``, for use: its gates are on or off."""
        found = [
            {name: table[..., place].detach() for place, name in enumerate(self.operations)}
            for table in self.tables(raw)
        ]
        return Policy(self.kind, found[0], found[1], self.class_names, self.group_names)
