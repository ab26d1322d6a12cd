"""The parts that a file or a function brings: train and test, maybe validation, each checked against the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autobalance.data._arrays import Arrays, check_arrays
from autobalance.errors import InputError

Given = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


def check_parts(given: Mapping[str, Given]) -> dict[str, Arrays]:
    """Checked arrays of each part. All parts must have the classes and groups of the training samples.

    Args:
        given: inputs, classes and groups (or None) of "train" and of any others.

    Raises:
        InputError: as ``check_arrays``; or a part has groups and another has none.
    """
    train = check_arrays(*given["train"], part="train")
    num_classes = int(train.y.max()) + 1
    num_groups = None if train.group is None else int(train.group.max()) + 1
    checked = {"train": train}
    for part, (x, y, group) in given.items():
        if (group is None) != (num_groups is None):
            without, other = (part, "train") if group is None else ("train", part)
            raise InputError(
                f"group_{without} is missing although group_{other} is there: all parts need groups or none"
            )
        if part != "train":
            checked[part] = check_arrays(x, y, group, part=part, num_classes=num_classes, num_groups=num_groups)
    return checked


def check_names(class_names: Any, num_classes: int) -> tuple[str, ...]:
    """``class_names`` as strings, once there are K of them and no two the same."""
    names = tuple(str(name) for name in class_names)
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise InputError(
            f"class_names has {len(set(names))} different names, but the labels have {num_classes} classes"
        )
    return names
