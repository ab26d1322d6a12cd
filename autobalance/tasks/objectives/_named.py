"""Objectives by name and their sums, each with its true (0/1) metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.objectives import _functionals
from autobalance.tasks.objectives._expression import parse_sum
from autobalance.tasks.objectives._own import Objective, own

SampleLosses = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """-log p_y, (B,). Over log 2 it bounds the 0/1 loss from above; its slope does not vanish far from the boundary."""
    return F.cross_entropy(logits, y, reduction="none")


def smooth(logits: Tensor, y: Tensor) -> Tensor:
    """1 - p_y, (B,): the 0/1 loss, smoothed: the chance that a prediction drawn from the softmax is wrong."""
    return -torch.expm1(-cross_entropy(logits, y))


def zero_one(logits: Tensor, y: Tensor) -> Tensor:
    """1 where the largest logit is not the target's, else 0, (B,)."""
    return (logits.argmax(1) != y).to(logits)


SURROGATES: Mapping[str, SampleLosses] = {"ce": cross_entropy, "smooth": smooth}


class Named(NamedTuple):
    """An objective.

    Args:
        of: (losses of the samples, batch, K) -> number.
        surrogate: the name of its default one.
        groups: whether it needs groups.
        metric: ``of`` for 0/1 losses.
    """

    of: Callable[[Tensor, Batch, int], Tensor]
    surrogate: str
    groups: bool
    metric: Callable[[Tensor, Batch, int], Tensor]


def _same(of: Callable[[Tensor, Batch, int], Tensor], surrogate: str, groups: bool) -> Named:
    return Named(of, surrogate, groups, of)


_OBJECTIVES: Mapping[str, Named] = {
    "balanced_error": _same(_functionals.balanced_error, "ce", False),
    "error": _same(_functionals.error, "ce", False),
    "group_balanced_error": _same(_functionals.group_balanced_error, "ce", True),
    "worst_group": Named(_functionals.worst_group, "ce", True, partial(_functionals.worst_group, temperature=0.0)),
    "deo": _same(_functionals.deo, "smooth", True),
}
NAMES = tuple(_OBJECTIVES)


@dataclass(frozen=True)
class Part:
    """A term of a sum of objectives."""

    weight: float
    named: Named
    losses: SampleLosses


class Blend:
    """A sum of named objectives.

    Args:
        parts: its terms.
        text: as it was written.
    """

    def __init__(self, parts: list[Part], text: str) -> None:
        self.parts, self.text = parts, text

    @property
    def needs_groups(self) -> bool:
        return any(part.named.groups for part in self.parts)

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The differentiable value, a scalar."""
        self._check(batch)
        terms = (
            part.weight * part.named.of(part.losses(logits, batch.y), batch, logits.shape[1]) for part in self.parts
        )
        return torch.stack(list(terms)).sum()

    def metric(self, logits: Tensor, batch: Batch) -> float:
        """The same sum of the true metrics, errors of the largest logit in percent."""
        self._check(batch)
        losses = zero_one(logits.double(), batch.y)
        return sum(100 * part.weight * part.named.metric(losses, batch, logits.shape[1]).item() for part in self.parts)

    def _check(self, batch: Batch) -> None:
        if batch.group is None and self.needs_groups:
            raise InputError(f"the objective {self.text} needs groups, and the samples have none: give --group COLUMN "
                             "for a table, group_train in a .npz file, or samples (x, y, group)")  # fmt: skip


def make_objective(objective: str | Callable[..., Any]) -> Objective:
    """The objective that a text or a function stands for.

    Args:
        objective: a name of `NAMES`, with its surrogate in brackets where it shall not be the default one:
            ``deo(ce)``; a sum of them, ``0.5*balanced_error + 0.5*deo``; ``package.module:function``; or a function of
            (logits (B, K), target (B,), group (B,) or None) that gives a scalar.

    Raises:
        InputError (a ValueError): an unknown name or surrogate, or a text that cannot be read.
    """
    if isinstance(objective, Blend):
        return objective
    if (function := own(objective)) is not None:
        return function
    assert isinstance(objective, str)
    parts = []
    for weight, name, option in parse_sum(objective):
        if name not in _OBJECTIVES:
            raise InputError(f"no objective is called {name!r}; there are {', '.join(NAMES)}")
        named = _OBJECTIVES[name]
        surrogate = named.surrogate if option is None else option
        if surrogate not in SURROGATES:
            raise InputError(f"{name}({option}): there is no surrogate {option!r}, only {' and '.join(SURROGATES)}")
        parts.append(Part(weight, named, SURROGATES[surrogate]))
    return Blend(parts, objective)
