"""Where streamed inputs are read: an array in a file, or a Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._arrays import check_finite
from autobalance.data.intake._generators import seeded_by_torch
from autobalance.data.intake._items import Items
from autobalance.data.intake._packing import Packing


@dataclass(frozen=True)
class RowsOfArray:
    """Those of an array, (N, ...), such as one in a file."""

    array: NDArray[Any]

    def __call__(self, positions: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.array(self.array[list(positions)]))


@dataclass(frozen=True)
class RowsOfItems:
    """The inputs of a Dataset's items.

    A random transform of the Dataset may draw with torch, NumPy or Python's ``random``. The last two are seeded by the
    first for the time of a reading, so that a search with the same seed sees the same samples.

    Args:
        items: the Dataset.
        packing: of its inputs, where it has several; else None.
        redrawn: whether it has random transforms.
    """

    items: Items
    packing: Packing | None
    redrawn: bool

    def __call__(self, positions: Sequence[int]) -> Tensor:
        """See `Rows`.

        Raises:
            InputError: an input is not finite.
        """
        with seeded_by_torch() if self.redrawn else nullcontext():
            x = self.items.read(positions).x
        place = f"x_{self.items.name}"
        if self.packing is not None:
            return torch.from_numpy(self.packing.pack(x, place))
        if isinstance(x, dict | tuple):
            raise InputError(f"{place} has several inputs for some samples, and one for others")
        check_finite(x, place)
        return torch.from_numpy(x)
