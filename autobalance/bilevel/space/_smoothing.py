"""The strength of a model's feature-distribution smoothing, searched along with the loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.bilevel.space._numbers import Number

#: Its name among the free parameters and in the searched numbers.
SMOOTHING = "fds"
#: Strengths: from none of the smoothing to all of it, half of it at the start.
STRENGTH, START = Number(1.0, 0.0, 1.0), 0.5


class SmoothingSpace:
    """Strengths 0.5 + a between 0 and 1, both included; see `Number`.

    Args:
        device: where the searched number is.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = device

    def init(self) -> dict[str, Tensor]:
        """The searched number at the start: a zero."""
        return {SMOOTHING: torch.zeros((), device=self._device)}

    def bounded(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``raw`` with the number of this space within its bounds."""
        return {**raw, SMOOTHING: raw[SMOOTHING].clamp(*STRENGTH.bounds([START]))}

    def strength(self, raw: Mapping[str, Tensor]) -> Tensor:
        """The strength at ``raw``, a scalar, differentiable in it."""
        return STRENGTH.at(torch.full_like(raw[SMOOTHING], START), raw[SMOOTHING])
