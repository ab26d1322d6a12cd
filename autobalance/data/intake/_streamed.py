"""Inputs that are read, or drawn anew, whenever a batch of them is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._crops import resized_crop_and_flip
from autobalance.data._deferred import Deferred

_CPU = torch.device("cpu")


class Rows(Protocol):
    """Where inputs are read."""

    def __call__(self, positions: Sequence[int]) -> Tensor:
        """Those at ``positions``, (B, ...)."""


@dataclass(frozen=True)
class Streamed(Deferred):
    """N inputs of one or more `Rows`. Only the current batch is in memory.

    Args:
        rows: where they are read.
        origin: of each input the place in ``rows``, and its position there, (N, 2).
        of_sample: the shape of one input.
        floating: whether they are floats.
        device, dtype: of the tensors that are taken; None: the type as it is read.
    """

    rows: tuple[Rows, ...]
    origin: NDArray[np.int64]
    of_sample: tuple[int, ...]
    floating: bool
    device: torch.device = _CPU
    dtype: torch.dtype | None = None

    @classmethod
    def of(cls, rows: Rows, number: int) -> Streamed:
        """All inputs of ``rows``, of which there are ``number``."""
        first = rows([0])
        origin = np.stack([np.zeros(number, dtype=np.int64), np.arange(number)], 1)
        return cls((rows,), origin, tuple(first.shape[1:]), first.is_floating_point())

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.origin), *self.of_sample

    def is_floating_point(self) -> bool:
        return self.floating

    def subset(self, index: NDArray[np.int64] | Tensor) -> Streamed:
        return replace(self, origin=self.origin[np.asarray(index.cpu() if isinstance(index, Tensor) else index)])

    def join(self, other: Streamed) -> Streamed:
        moved = other.origin + np.array([len(self.rows), 0])
        return replace(self, rows=(*self.rows, *other.rows), origin=np.concatenate([self.origin, moved]))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Streamed:
        return replace(self, device=torch.device(device), dtype=dtype or self.dtype)

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Tensor:
        """See `Deferred`.

        Raises:
            InputError: an input has another shape than the first.
        """
        origin = self.origin[index.cpu().numpy()]
        parts, places = [], []
        for number, rows in enumerate(self.rows):
            at = np.flatnonzero(origin[:, 0] == number)
            if len(at):
                parts.append(rows(origin[at, 1].tolist()))
                places.append(at)
        if not parts:
            return torch.empty(0, *self.of_sample, device=self.device, dtype=self.dtype)
        for part in parts:
            if tuple(part.shape[1:]) != self.of_sample:
                raise InputError(
                    f"samples have the shapes {self.of_sample} and {tuple(part.shape[1:])}: pad or resize them to one"
                )
        x = parts[0]
        if len(parts) > 1:
            x = torch.cat(parts)[torch.from_numpy(np.argsort(np.concatenate(places)))]
        x = x.to(self.device, self.dtype)
        return x if crops is None else resized_crop_and_flip(x, crops)
