"""What is searched of a loss beside its tables: single numbers, each within a range that it can reach the ends of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

#: Of a range, what a number may be beyond its ends by rounding.
ROUNDING = 1e-5


class Number(NamedTuple):
    """A number that can be free. With the search's raw number a, 0 at the start v⁰,

        v = v⁰ + c a,    or v = v⁰ exp(c a) for a ``factor``,    within its range, ends included

    and a is held where v is in the range (projected steps), so that v can stay at an end and leave it again.

    Args:
        unit: c.
        low, high: the range.
        factor: whether it deviates by a factor.
    """

    unit: float
    low: float
    high: float
    factor: bool = False

    def at(self, start: Tensor, raw: Tensor) -> Tensor:
        """v, differentiable in ``raw``, at the ends of the range, too."""
        value = start * torch.exp(self.unit * raw) if self.factor else start + self.unit * raw
        inside = value.detach().clamp(self.low, self.high)
        # torch's clamp has no derivative at its ends; a rounding beyond an end is none beyond it
        beyond = (value.detach() - inside).abs() > ROUNDING * (self.high - self.low)
        return torch.where(beyond, inside, value + (inside - value.detach()))

    def bounds(self, starts: list[float]) -> tuple[float, float]:
        """The smallest and largest a: beyond them v is at an end from each of the starts."""
        if self.factor:
            return (
                math.log(self.low / max(starts)) / self.unit,
                math.log(self.high / min(starts)) / self.unit,
            )
        return (self.low - max(starts)) / self.unit, (self.high - min(starts)) / self.unit


#: The numbers that can be free: of the family, then the strengths of what modifies it, and CSL's k and h.
NUMBERS: Mapping[str, Number] = {
    "scale": Number(0.25, 0.1, 100.0, factor=True),
    "gamma": Number(0.5, 0.0, 5.0),
    "csl": Number(0.5, 0.0, 10.0),
    "csl_reward": Number(0.5, 0.0, 10.0),
    "csl_floor": Number(0.1, 0.0, 10.0),
    "influence": Number(0.25, 0.0, 1.0),
    "equalization": Number(0.25, 0.0, 1.0),
}
