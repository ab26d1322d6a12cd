"""Inputs that are not in memory: they are made when a batch of them is taken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Deferred(ABC):
    """N inputs that stand in `Samples` where a tensor (N, ...) does."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""

    def __len__(self) -> int:
        return self.shape[0]

    def is_floating_point(self) -> bool:
        """Whether the batches are floating-point numbers, which `to` can give another type."""
        return True

    @abstractmethod
    def subset(self, index: NDArray[np.int64] | Tensor) -> Self:
        """Those at ``index``, which are not made yet."""

    @abstractmethod
    def join(self, other: Any) -> Self:
        """These followed by ``other``'s, of the same kind."""

    @abstractmethod
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same, whose batches will be on ``device`` and of type ``dtype``."""

    @abstractmethod
    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Tensor:
        """The inputs at ``index``, int64, (B,), any order, repetitions allowed, as (B, ...).

        Args:
            index: positions.
            crops: cuts each image at random as `draw_crops` says.
        """
