"""The strength of a model's feature-distribution smoothing, searched along with the loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Its name among the free parameters and in the searched numbers.
SMOOTHING = "fds"
#: What one unit of the searched number means for the logit of the strength.
UNIT = 4.0


class SmoothingSpace:
    """Strengths σ(4 a) between 0 and 1, 0.5 at the start a = 0.

    Args:
        device: where the searched number is.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = device

    def init(self) -> dict[str, Tensor]:
        """The searched number at the start: a zero."""
        return {SMOOTHING: torch.zeros((), device=self._device)}

    def strength(self, raw: Mapping[str, Tensor]) -> Tensor:
        """The strength at ``raw``, a scalar, differentiable in it."""
        return torch.sigmoid(UNIT * raw[SMOOTHING])
