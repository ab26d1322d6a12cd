"""The parts that a file or a function brings: train and test, maybe validation, each checked against the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_arrays

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


def num_groups(part: Arrays) -> int:
    """G, 0 without groups."""
    return 0 if part.group is None else int(part.group.max()) + 1


def check_names(given: Any, number: int, what: str = "class") -> tuple[str, ...]:
    """Names of the classes or groups as strings, once there are ``number`` of them and no two the same."""
    names = tuple(str(name) for name in given)
    if len(names) != number or len(set(names)) != number:
        holders, plural = ("labels", "classes") if what == "class" else ("samples", "groups")
        raise InputError(
            f"{what}_names has {len(set(names))} different names, but the {holders} have {number} {plural}"
        )
    return names
