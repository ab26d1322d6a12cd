"""What an operation is, and the random numbers that operations draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

#: Draws the random numbers that one operation needs for inputs (B, ...): a tensor whose first dimension is B.
Draw = Callable[[Tensor, torch.Generator | None], Tensor]


@dataclass(frozen=True)
class Operation:
    """One way to change a sample, by a strength of at least 0, at which nothing is changed.

    Args:
        largest: the bound of the strengths that are searched.
        unit: what a strength is measured in.
        draw: its random numbers.
    """

    largest: float
    unit: str
    draw: Draw


@dataclass(frozen=True)
class Stage:
    """Operations that are applied together, in one pass over the samples.

    Args:
        operations: by name.
        apply: (x, strengths, draws) -> changed x. ``x`` is (B, ...); ``strengths`` has each sample's strength, (B,),
            for one or more of the operations, and ``draws`` what they drew. Differentiable in the strengths (and
            almost everywhere in x), and at strengths of 0 bit for bit the identity.
    """

    operations: Mapping[str, Operation]
    apply: Callable[[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]


def signed(number: int) -> Draw:
    """Draws ``number`` values a sample, uniform between -1 and 1: (B, number)."""
    return lambda x, generator: 2 * uniform(number)(x, generator) - 1


def uniform(number: int) -> Draw:
    """Draws ``number`` values a sample, uniform between 0 and 1: (B, number)."""

    def draw(x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.rand(len(x), number, generator=generator, dtype=x.dtype).to(x.device)

    return draw


def uniform_each(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws a value for every feature, uniform between 0 and 1: (B, ...) as x."""
    return torch.rand(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def normal_each(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws a standard normal value for every feature, times one value between 0 and 1 a sample: (B, ...) as x."""
    size = torch.rand(len(x), *[1] * (x.dim() - 1), generator=generator, dtype=x.dtype)
    return (size * torch.randn(x.shape, generator=generator, dtype=x.dtype)).to(x.device)


def over(strength: Tensor, x: Tensor) -> Tensor:
    """Values a sample, (B,), shaped to multiply x, (B, ...)."""
    return strength.view(-1, *[1] * (x.dim() - 1))
