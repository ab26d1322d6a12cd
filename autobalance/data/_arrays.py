"""Checked numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._deferred import Deferred
from autobalance.data._image_files import ImageFiles


@dataclass(frozen=True)
class Arrays:
    """One part of a data set: ``x`` (N, ...), an array or `Deferred`, ``y`` (N,), classes or numbers, and, where there
    are groups, ``group`` (N,)."""

    x: Any
    y: NDArray[Any]
    group: NDArray[np.int64] | None = None

    def subset(self, index: NDArray[np.int64]) -> Arrays:
        x = self.x.subset(index) if isinstance(self.x, Deferred) else self.x[index]
        return Arrays(x, self.y[index], None if self.group is None else self.group[index])


def check_arrays(
    x: NDArray[Any],
    y: NDArray[Any],
    group: NDArray[Any] | None = None,
    *,
    part: str,
    num_classes: int | None = None,
    num_groups: int | None = None,
) -> Arrays:
    """The arrays of one part of a data set, once they are known to be usable.

    Args:
        x: inputs, shape (N, ...), numbers.
        y: classes, shape (N,), every integer 0..K-1 at least once.
        group: groups, shape (N,), every integer 0..G-1 at least once, or None.
        part: "train", "val" or "test"; the messages speak of ``x_train`` and so on.
        num_classes: K where it is known, otherwise the largest label tells.
        num_groups: G where it is known, otherwise the largest group tells.

    Raises:
        InputError: no samples, other lengths, labels that are not 0..K-1, inputs that are not finite numbers.
    """
    x = check_inputs(x, part)
    labels = check_labels(y, f"y_{part}", len(x), num_classes, "class")
    groups = None if group is None else check_labels(group, f"group_{part}", len(x), num_groups, "group")
    return Arrays(x, labels, groups)


def check_inputs(x: Any, part: str) -> Any:
    """The inputs (N, ...) as an array, once they are known to be samples of finite numbers; `Deferred` ones as they
    are."""
    if isinstance(x, Deferred):
        return x
    x = np.asarray(x)
    if x.ndim < 2:
        raise InputError(f"x_{part} has shape {x.shape}: it needs one row for each sample and at least two dimensions")
    if x.size == 0:
        raise InputError(f"x_{part} is empty, its shape is {x.shape}")
    check_finite(x, f"x_{part}")
    return x


def check_labels(
    labels: NDArray[Any], place: str, length: int, num_values: int | None = None, what: str = "class"
) -> NDArray[np.int64]:
    """``labels`` as int64, once they are known to be ``length`` integers among which every 0..K-1 occurs.

    Raises:
        InputError: with the first place and value at fault, or with the first value that is missing.
    """
    labels = np.asarray(labels)
    if labels.shape != (length,):
        raise InputError(f"{place} has shape {labels.shape}, but there are {length} samples: it must be ({length},)")
    if labels.dtype.kind not in "biuf":
        raise InputError(f"{place} holds {labels.dtype}, not integers: number the {what} labels 0, 1, 2, ...")
    whole = labels == np.floor(labels) if labels.dtype.kind == "f" else np.ones(length, dtype=bool)
    allowed = whole & (labels >= 0) & (labels < (length if num_values is None else num_values))
    if not allowed.all():
        at = int(np.argmin(allowed))
        upper = "K-1" if num_values is None else str(num_values - 1)
        raise InputError(f"{place}[{at}] is {labels[at]}: {what} labels must be integers 0..{upper}")
    labels = labels.astype(np.int64)
    counts = np.bincount(labels, minlength=num_values or 0)
    if not counts.all():
        missing = int(np.argmin(counts))
        raise InputError(
            f"{place} has no sample of {what} {missing}: every {what} from 0 to {len(counts) - 1} must occur; "
            "renumber the labels or add samples"
        )
    if what == "class" and len(counts) < 2:
        raise InputError(f"{place} holds one class only: a classification needs at least two")
    return labels


def check_finite(x: NDArray[Any], place: str) -> None:
    """Raises an InputError with place and value for the first of ``x`` that is not a finite float32 number."""
    if x.dtype.kind not in "biuf":
        raise InputError(f"{place} holds {x.dtype}, not numbers")
    if x.dtype.kind == "f":
        fine = np.abs(x) <= np.finfo(np.float32).max
        if not fine.all():
            at = np.unravel_index(int(np.argmin(fine)), x.shape)
            where = ", ".join(str(int(i)) for i in at)
            raise InputError(
                f"{place}[{where}] (row {int(at[0])}) is {x[at]}: inputs must be finite float32 numbers; "
                "fill, rescale or drop it"
            )


def channels_first(x: Any) -> NDArray[Any]:
    """Images as (N, C, H, W), a view; vectors as they are. In doubt four dimensions of bytes are channels-last, and of
    floats channels-first.

    Raises:
        InputError: inputs of another shape, or images in files.
    """
    if isinstance(x, ImageFiles):
        raise InputError("images in files beside training samples that are none: all parts need the same shape, and "
                         "all or none of them images in files")  # fmt: skip
    if x.ndim == 2:
        return x
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4:
        raise InputError(f"inputs of shape {x.shape} are neither vectors (N, D) nor images (N, H, W, C)")
    first, last = x.shape[1] in (1, 3), x.shape[3] in (1, 3)
    channels_last = not (first and not last) if x.dtype == np.uint8 else last and not first
    return np.moveaxis(x, 3, 1) if channels_last else x
