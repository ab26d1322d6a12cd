"""The parts that a file or a function brings: train and test, maybe validation, each checked against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_arrays, check_inputs

Given = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


def check_given(given: Mapping[str, Given], regression: bool) -> dict[str, Arrays]:
    """Checked arrays of each part, see `check_parts` and `check_number_parts`."""
    return check_number_parts(given) if regression else check_parts(given)


def check_parts(given: Mapping[str, Given]) -> dict[str, Arrays]:
    """Checked arrays of each part. All parts must have the classes and groups of the training samples.

    Args:
        given: inputs, classes and groups (or None) of "train" and of any others.

    Raises:
        InputError: as ``check_arrays``; or a part has groups and another has none.
    """
    train = check_arrays(*given["train"], part="train")
    num_classes, groups = int(train.y.max()) + 1, num_groups(train) or None
    checked = {"train": train}
    for part, (x, y, group) in given.items():
        if (group is None) != (groups is None):
            without, other = (part, "train") if group is None else ("train", part)
            raise InputError(
                f"group_{without} is missing although group_{other} is there: all parts need groups or none"
            )
        if part != "train":
            checked[part] = check_arrays(x, y, group, part=part, num_classes=num_classes, num_groups=groups)
    return checked


def check_number_parts(given: Mapping[str, Given]) -> dict[str, Arrays]:
    """Checked arrays of each part, the targets as floats.

    Args:
        given: inputs (N, ...), targets (N,) and None of "train" and of any others.

    Raises:
        InputError: inputs or targets that are not finite numbers, groups, or constant training targets.
    """
    checked = {}
    for part, (x, y, group) in given.items():
        if group is not None:
            raise InputError(f"group_{part} has no effect on a regression: leave the groups out")
        x = check_inputs(x, part)
        targets = np.asarray(y)
        if targets.shape != (len(x),):
            raise InputError(f"y_{part} has shape {targets.shape}, not ({len(x)},), one target for each of the samples")
        if targets.dtype.kind not in "iuf":
            raise InputError(f"y_{part} holds {targets.dtype}, not numbers: a regression needs numbers to predict")
        targets = targets if targets.dtype.kind == "f" else targets.astype(np.float64)
        fine = np.abs(targets) <= np.finfo(np.float32).max
        if not fine.all():
            at = int(np.argmin(fine))
            raise InputError(f"y_{part}[{at}] is {targets[at]}: targets must be finite numbers")
        checked[part] = Arrays(x, targets)
    check_varied(checked["train"].y, "y_train")
    return checked


def check_varied(targets: NDArray[Any], place: str) -> None:
    """Raises where all ``targets`` are the same number."""
    if targets.min() == targets.max():
        raise InputError(f"{place} is constant, always {targets[0]:g}: there is nothing to predict")


def num_groups(part: Arrays) -> int:
    """G, 0 without groups."""
    return 0 if part.group is None else int(part.group.max()) + 1


def check_names(given: Sequence[Any] | None, number: int, what: str = "class") -> tuple[str, ...]:
    """Names of the classes or groups as strings, once there are ``number`` of them and no two the same; None stands for
    the numbers 0, 1, 2 and so on."""
    if given is None:
        return tuple(str(k) for k in range(number))
    if isinstance(given, str):
        raise InputError(f"{what}_names is the text {given!r}: give a list of {number} names")
    names = tuple(str(name) for name in given)
    if len(names) != number or len(set(names)) != number:
        holders, plural = ("labels", "classes") if what == "class" else ("samples", "groups")
        raise InputError(
            f"{what}_names has {len(set(names))} different names, but the {holders} have {number} {plural}"
        )
    return names


def alike_names(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Names that differ in case or spaces alone, those that do together: maybe they are meant to be one.

    >>> alike_names(["no", "yes", "Yes ", "other"])
    [('yes', 'Yes ')]
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [tuple(alike) for alike in found.values() if len(alike) > 1]
