"""Labels that are names, as class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError


def as_numbers(train: NDArray[Any], validation: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], list[str] | None]:
    """Labels of both parts as numbers, and the classes' names in the order of the numbers; numbers stay as they are,
    without names.

    Args:
        train, validation: labels, (N,).

    Raises:
        InputError: a label is missing, or is among the validation samples alone.
    """
    if train.dtype.kind not in "OUS" or train.ndim != 1:
        return train, validation, None
    for part, labels in (("train", train), ("val", validation)):
        missing = np.array([label is None or label != label for label in labels.tolist()])
        if missing.any():
            raise InputError(f"y_{part}[{int(missing.argmax())}] is missing: drop the sample, or give it a label")
    names, numbers = np.unique(train.astype(str), return_inverse=True)
    given = validation.astype(str)
    places = np.minimum(np.searchsorted(names, given), len(names) - 1)
    if not (known := names[places] == given).all():
        at = int(known.argmin())
        listed = ", ".join(names[:10])
        raise InputError(f"y_val[{at}] is {str(given[at])!r}, which no training sample has: those have {listed}")
    return numbers, places, names.tolist()
