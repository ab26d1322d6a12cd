"""Arrays, tensors and torch Datasets as samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from autobalance.common import InputError
from autobalance.data._image_files import ImageFiles
from autobalance.data._parts import Given, check_number_parts, check_parts
from autobalance.data._samples import Samples

Part = Samples | Dataset | tuple[Any, ...]


def as_samples(train: Part, validation: Part) -> tuple[Samples, Samples]:
    """Training and validation samples as they are, their inputs neither reshaped nor standardised.

    Args:
        train, validation: `Samples`; or (x, y) or (x, y, group) of arrays or tensors; or a torch ``Dataset`` of such
            items, which is read into memory.

    Raises:
        InputError: labels that are not 0..K-1, inputs that are not finite, parts that do not fit together.
    """
    given = {"train": train, "val": validation}
    checked = check_parts({name: to_given(part, name) for name, part in given.items()})
    made = [
        part if isinstance(part, Samples) else Samples(*(_to_tensor(values) for values in vars(checked[name]).values()))
        for name, part in given.items()
    ]
    return made[0], made[1]


def as_number_samples(train: Part, validation: Part) -> tuple[Samples, Samples]:
    """As `as_samples`, for targets that are finite numbers, float64 or float32, (N,) or (N, 1).

    Raises:
        InputError: targets or inputs that are not finite numbers, groups, parts that do not fit together.
    """
    given = {name: to_given(part, name) for name, part in {"train": train, "val": validation}.items()}
    flat = {
        name: (x, y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y, group)
        for name, (x, y, group) in given.items()
    }
    checked = check_number_parts(flat)
    made = [Samples(_to_tensor(part.x), torch.from_numpy(part.y)) for part in checked.values()]
    return made[0], made[1]


def to_given(part: Any, name: str) -> Given:
    """Arrays (x, y, group or None) of `Samples`, of a Dataset, of (x, y) or of (x, y, group).

    Raises:
        InputError: it is none of these, or the items of the Dataset do not stack.
    """
    if isinstance(part, Samples):
        part = (part.x, part.y, part.group)
    if isinstance(part, Dataset):
        items = [part[i] for i in range(len(part))]  # type: ignore[arg-type]
        if not items:
            raise InputError(f"the {name} Dataset is empty")
        if any(not isinstance(item, tuple | list) or len(item) != len(items[0]) for item in items):
            raise InputError(f"the {name} Dataset must give (x, y) or (x, y, group) for every sample")
        part = [[_to_array(value) for value in column] for column in zip(*items, strict=True)]
        shapes = {value.shape for value in part[0]}
        if len(shapes) > 1:
            raise InputError(f"the {name} Dataset has samples of different shapes: {sorted(shapes)[:2]}")
    if not isinstance(part, tuple | list) or len(part) not in (2, 3):
        raise InputError(f"{name!r} must be (x, y), (x, y, group) or a Dataset, not {type(part).__name__}")
    x, y, group = (*part, None) if len(part) == 2 else part
    return _to_array(x), _to_array(y), None if group is None else _to_array(group)


def _to_tensor(values: Any) -> Any:
    return values if values is None or isinstance(values, ImageFiles) else torch.from_numpy(values)


def _to_array(values: Any) -> Any:
    """A NumPy array; images in files as they are."""
    if isinstance(values, ImageFiles):
        return values
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype in (torch.bfloat16, torch.float16) else values).numpy()
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:  # rows of different lengths
        raise InputError(f"samples make no array: {' '.join(str(error).split())}") from None
