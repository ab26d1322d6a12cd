"""Training and validation samples of whatever is handed in, in memory or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from autobalance.common import InputError, free_memory_mb
from autobalance.data._arrays import check_finite
from autobalance.data._deferred import Deferred
from autobalance.data._parts import check_given
from autobalance.data._samples import Samples
from autobalance.data.intake._generators import kept
from autobalance.data.intake._items import Items, batched
from autobalance.data.intake._labels import as_numbers
from autobalance.data.intake._opened import opened
from autobalance.data.intake._packing import Packing
from autobalance.data.intake._records import Record
from autobalance.data.intake._rows import RowsOfArray, RowsOfItems
from autobalance.data.intake._streamed import Streamed
from autobalance.data.intake._values import to_array

Part = Samples | Dataset | DataLoader | Mapping[str, Any] | tuple[Any, ...]
#: Inputs that would take more than this share of the free memory are streamed: folds and batches make copies.
_SHARE = 0.25
#: Rows of an array in a file that are checked at once.
_AT_ONCE = 4096


@dataclass(frozen=True)
class Taken:
    """Samples of what was handed in.

    Args:
        train, validation: their inputs neither reshaped nor standardised.
        class_names: in the order of the numbers, where the labels were names.
        packing: what stands in a row of the inputs, where a sample has several, or one with a name.
        redrawn: which of "train" and "val" have random transforms, so that each reading gives others.
    """

    train: Samples
    validation: Samples
    class_names: list[str] | None
    packing: Packing | None
    redrawn: tuple[str, ...]


def taken(train: Part, validation: Part, regression: bool) -> Taken:
    """Training and validation samples.

    Of a Dataset or a DataLoader the samples are kept in memory, unless it has random transforms (then a sample is read
    anew whenever it is trained on) or is too large. Large arrays in files (``np.load(path, mmap_mode="r")``) stay
    there. The order and the size of the batches, and the workers, of a DataLoader are not used; its ``collate_fn`` is.

    Args:
        train, validation: see `opened`. Inputs can be a dict of several, or a tuple.
        regression: whether the labels are finite numbers, (N,) or (N, 1), float64 or float32; else they are classes,
            0..K-1 or names.

    Raises:
        InputError: labels or inputs that cannot be, parts that do not fit together.
    """
    given = {name: opened(part, name) for name, part in {"train": train, "val": validation}.items()}
    with kept():
        return _taken(given, regression)


def _taken(given: Mapping[str, Items | Record], regression: bool) -> Taken:
    redrawn = tuple(name for name, part in given.items() if isinstance(part, Items) and part.redrawn())
    together = _together(given, redrawn)
    packing = _packing(together["train"] if together else given["train"])
    read = together or {name: _read(part, name, packing, redrawn) for name, part in given.items()}
    x = {name: _packed(record.x, packing, f"x_{name}") for name, record in read.items()}
    if any(isinstance(each, Streamed) for each in x.values()):
        x = {name: _streamed(each) for name, each in x.items()}
    y, names = {name: to_array(record.y) for name, record in read.items()}, None
    if regression:
        y = {name: each[:, 0] if each.ndim == 2 and each.shape[1] == 1 else each for name, each in y.items()}
    else:
        y["train"], y["val"], names = as_numbers(y["train"], y["val"])
    group = {name: None if record.group is None else to_array(record.group) for name, record in read.items()}
    checked = check_given({name: (x[name], y[name], group[name]) for name in read}, regression)
    first, second = (Samples(*map(_to_tensor, vars(each).values())) for each in checked.values())
    return Taken(first, second, names, packing, redrawn)


def _packing(part: Items | Record) -> Packing | None:
    """What stands in a row of inputs like these; None where a sample has one, without a name."""
    x = part.read([0]).x if isinstance(part, Items) else part.x
    return Packing.of(x, "x_train") if isinstance(x, Mapping | tuple) else None


def _too_large(number_of_bytes: int) -> bool:
    free = free_memory_mb()
    return free is not None and number_of_bytes > _SHARE * free * 2**20


def _together(given: Mapping[str, Items | Record], redrawn: tuple[str, ...]) -> dict[str, Record] | None:
    """Both parts made by one call of the function that makes batches of both, so that they are padded to one length;
    None where there is no such function, or the parts are streamed."""
    train, validation = given["train"], given["val"]
    if redrawn or not isinstance(train, Items) or not isinstance(validation, Items):
        return None
    if train.collate is None or train.collate != validation.collate or _too_large(train.bytes() + validation.bytes()):
        return None
    items = [part.dataset[i] for part in (train, validation) for i in range(len(part))]
    x, y, group = batched(items, "both Datasets", train.collate)
    at = len(train)
    first = Record(_cut(x, slice(at)), y[:at], None if group is None else group[:at])
    return {"train": first, "val": Record(_cut(x, slice(at, None)), y[at:], None if group is None else group[at:])}


def _cut(x: Any, rows: slice) -> Any:
    if isinstance(x, Mapping):
        return {name: each[rows] for name, each in x.items()}
    return tuple(each[rows] for each in x) if isinstance(x, tuple) else x[rows]


def _read(part: Items | Record, name: str, packing: Packing | None, redrawn: tuple[str, ...]) -> Record:
    """A part as columns; where it is streamed its inputs are `Streamed`."""
    if isinstance(part, Items):
        if name not in redrawn and not _too_large(part.bytes()):
            return part.read(range(len(part)))
        y, group = part.labels()
        return Record(Streamed.of(RowsOfItems(part, packing, name in redrawn), len(part)), y, group)
    if isinstance(part.x, np.memmap) and _too_large(part.x.nbytes):
        if part.x.ndim < 2 or not len(part.x):
            raise InputError(f"x_{name} has shape {part.x.shape}: it needs a row a sample and at least two dimensions")
        for start in range(0, len(part.x), _AT_ONCE):
            check_finite(part.x[start : start + _AT_ONCE], f"x_{name}, from row {start},")
        return Record(Streamed.of(RowsOfArray(part.x), len(part.x)), part.y, part.group)
    return part


def _packed(x: Any, packing: Packing | None, place: str) -> Any:
    several = isinstance(x, Mapping | tuple)
    if isinstance(x, Deferred) or not (several or packing):
        return to_array(x)
    if packing is None or not several:
        raise InputError(
            "the inputs of one part have names, or are several, and those of the other not: make them equal"
        )
    return packing.pack(x, place)


def _streamed(x: Any) -> Any:
    """Inputs in memory in the way of those that are streamed, beside which they will be."""
    return x if isinstance(x, Deferred) else Streamed.of(RowsOfArray(x), len(x))


def _to_tensor(values: Any) -> Any:
    if values is None or isinstance(values, Deferred | Tensor):
        return values
    return torch.from_numpy(values if values.flags.writeable else np.array(values))
