"""What is handed in as samples, whatever it is: columns of arrays, or the items of a Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._parts import Given
from autobalance.data._samples import Samples
from autobalance.data.intake._items import Items, items_of
from autobalance.data.intake._records import Record, record_of
from autobalance.data.intake._values import to_array


def opened(part: Any, name: str) -> Items | Record:
    """A Dataset or DataLoader as items; anything else as columns, whose inputs may still be a dict or tuple of several.

    Args:
        part: `Samples`; (x, y) or (x, y, group); a dict of columns with `labels`; a Dataset; or a DataLoader.
        name: "train", "val" or "test".

    Raises:
        InputError: it is none of these.
    """
    if isinstance(part, Samples):
        return Record(part.x, part.y, part.group)
    if (items := items_of(part, name)) is not None:
        return items
    if not isinstance(part, Mapping) and not (isinstance(part, tuple | list) and len(part) in (2, 3)):
        raise InputError(
            f"{name!r} must be (x, y), (x, y, group), a dict with `labels`, a Dataset or a DataLoader, not a "
            f"{type(part).__name__}"
        )
    x, y, group = record_of(part, f"{name!r}")
    if isinstance(x, tuple) and not _are_inputs(x, y):
        x = list(x)
    return Record(x, y, group)


def to_given(part: Any, name: str) -> Given:
    """Arrays (x, y, group or None), all of it in memory, of anything with one input a sample.

    Raises:
        InputError: it is nothing that `opened` knows, or has several inputs.
    """
    found = opened(part, name)
    x, y, group = found.read(range(len(found))) if isinstance(found, Items) else found
    if isinstance(x, Mapping | tuple):
        raise InputError(f"{name!r} has several inputs a sample, or one with a name; here it has to be (x, y)")
    return to_array(x), to_array(y), None if group is None else to_array(group)


def _are_inputs(x: tuple[Any, ...], y: Any) -> bool:
    """Whether a tuple is one array an input, each of all samples; else it is one row a sample."""
    if not all(isinstance(each, Tensor | np.ndarray) or hasattr(each, "iloc") for each in x) or len(x) == len(y):
        return False
    return all(len(each) == len(y) for each in x)
