"""Several inputs of a sample in one row of numbers, from which each comes back exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._arrays import check_finite
from autobalance.data.intake._values import to_array

#: Whole numbers up to here are exact in double precision.
_EXACT = 2**53


@dataclass(frozen=True)
class Packing:
    """How a sample's inputs stand in one row: one after the other, flat. Floats stay floats and integers integers;
    where there are both, the row is of double precision, which holds every float32 and every integer up to 2^53.

    Args:
        names: of the inputs of a dict; None: they are a tuple's.
        shapes: of each input of one sample.
        kinds: of each input, "f", "i" or "b" as in NumPy.
    """

    names: tuple[str, ...] | None
    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, inputs: Mapping[str, Any] | tuple[Any, ...], place: str) -> Packing:
        """That of some samples.

        Args:
            inputs: each (N, ...).
            place: what errors call them.

        Raises:
            InputError: no inputs, inputs of different numbers of samples, or that are no numbers.
        """
        names = tuple(map(str, inputs)) if isinstance(inputs, Mapping) else None
        arrays = _arrays(inputs)
        if not arrays:
            raise InputError(f"{place} has no inputs beside the labels")
        for name, array in zip(names or range(len(arrays)), arrays, strict=True):
            if array.dtype.kind not in "biuf":
                raise InputError(f"{place}[{name!r}] holds {array.dtype}, not numbers: leave it out, or encode it")
            if array.ndim == 0 or len(array) != len(arrays[0]):
                raise InputError(
                    f"{place}[{name!r}] has shape {array.shape}, not ({len(arrays[0])}, ...) as the first input"
                )
        kinds = tuple("i" if array.dtype.kind == "u" else array.dtype.kind for array in arrays)
        return cls(names, tuple(array.shape[1:] for array in arrays), kinds)

    @property
    def mixed(self) -> bool:
        """Whether there are floats and integers, so that rows have to stay in double precision."""
        return "f" in self.kinds and set(self.kinds) != {"f"}

    def pack(self, inputs: Mapping[str, Any] | tuple[Any, ...], place: str) -> NDArray[Any]:
        """Inputs like those that the packing was made of, each (N, ...), as rows, (N, D).

        Raises:
            InputError: inputs of other names, shapes or kinds, that are not finite, or integers too large.
        """
        if (found := Packing.of(inputs, place)) != self:
            raise InputError(
                f"{place} has the inputs {found}, but those of the first samples are {self}: make them "
                "equal, as by padding"
            )
        arrays = _arrays(inputs)
        for name, array in zip(self.names or range(len(arrays)), arrays, strict=True):
            check_finite(array, f"{place}[{name!r}]")
            if self.mixed and array.dtype.kind in "iu" and array.size and np.abs(array).max() > _EXACT:
                raise InputError(f"{place}[{name!r}] holds {np.abs(array).max()}: integers beside floats reach to 2^53")
        dtype = np.float64 if self.mixed else np.result_type(*arrays) if "f" in self.kinds else np.int64
        return np.concatenate([array.reshape(len(array), -1).astype(dtype, copy=False) for array in arrays], 1)

    def unpack(self, rows: Tensor, floating: torch.dtype) -> dict[str, Tensor] | tuple[Tensor, ...]:
        """Rows, (B, D), as the inputs that they hold, each (B, ...).

        Args:
            rows: as `pack` made them.
            floating: the type of those that are floats.
        """
        parts = rows.split([math.prod(shape) for shape in self.shapes], 1)
        dtypes = {"f": floating, "i": torch.int64, "b": torch.bool}
        inputs = tuple(
            part.reshape(len(rows), *shape).to(dtypes[kind])
            for part, shape, kind in zip(parts, self.shapes, self.kinds, strict=True)
        )
        return inputs if self.names is None else dict(zip(self.names, inputs, strict=True))

    def __str__(self) -> str:
        names = self.names or tuple(map(str, range(len(self.shapes))))
        return ", ".join(f"{name} {shape}" for name, shape in zip(names, self.shapes, strict=True))


def _arrays(inputs: Mapping[str, Any] | tuple[Any, ...]) -> list[NDArray[Any]]:
    return [to_array(value) for value in (inputs.values() if isinstance(inputs, Mapping) else inputs)]
