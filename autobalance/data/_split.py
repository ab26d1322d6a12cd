"""Disjoint parts of a data set, each with every class (of every group), or with the whole range of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError

Index = NDArray[np.int64]

#: Share of a data set that becomes the test part where it brings none.
TEST_SHARE = 0.2


def stratified_split(
    labels: Index,
    fraction: float,
    generator: np.random.Generator,
    *,
    group: Index | None = None,
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    leave: int = 1,
) -> tuple[Index, Index]:
    """Two disjoint random parts that together are the whole, each class divided in the same proportion.

    Where there are groups, each cell (a class in a group) is divided for itself. A cell of n samples gives
    round(fraction * n) to the second part, yet at least one, and leaves at least ``leave`` to the first.

    Args:
        labels: classes, shape (N,), values 0..K-1.
        fraction: share of the second part, between 0 and 1.
        generator: what draws the samples.
        group: groups, shape (N,), values 0..G-1, or None.
        class_names, group_names: K and G names for the messages.
        leave: samples that each cell keeps in the first part; 2 where that part will be split again.

    Returns:
        Positions of the first and of the second part, each ascending.

    Raises:
        InputError: the fraction is out of range, or a cell has fewer than ``leave + 1`` samples.
    """
    _check_fraction(fraction)
    num_classes = int(labels.max()) + 1 if class_names is None else len(class_names)
    num_groups = 1 if group is None else int(group.max()) + 1 if group_names is None else len(group_names)
    cell = labels if group is None else labels * num_groups + group
    counts = np.bincount(cell, minlength=num_classes * num_groups)
    _check_counts(
        counts.reshape(num_classes, num_groups), leave + 1, class_names, group_names, grouped=group is not None
    )

    taken = np.zeros(len(labels), dtype=bool)
    for c, n in enumerate(counts.tolist()):
        size = min(max(1, round(fraction * n)), n - leave)
        taken[generator.choice(np.flatnonzero(cell == c), size=size, replace=False, shuffle=False)] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)


def ordered_split(targets: NDArray[np.float64], fraction: float, generator: np.random.Generator) -> tuple[Index, Index]:
    """Two disjoint random parts, positions ascending: of each run of neighbouring targets, about ``2 / fraction`` long,
    the same share goes to the second part, so that both parts cover the range alike."""
    _check_fraction(fraction)
    runs = max(1, int(len(targets) * min(fraction, 1 - fraction) / 2))
    rank = np.empty(len(targets), dtype=np.int64)
    rank[np.lexsort((generator.random(len(targets)), targets))] = np.arange(len(targets))
    return stratified_split(rank * runs // len(targets), fraction, generator)


def divide(targets: NDArray[Any], fraction: float, generator: np.random.Generator, **cells: Any) -> tuple[Index, Index]:
    """`stratified_split` of classes, with its other arguments ``cells``, or `ordered_split` of numbers."""
    if targets.dtype.kind == "f":
        return ordered_split(targets, fraction, generator)
    return stratified_split(targets, fraction, generator, **cells)


def three_parts(
    number: int, given: Mapping[str, Index], fraction: float, draw: Callable[[Index, float, int], tuple[Index, Index]]
) -> tuple[Index, Index, Index]:
    """Positions of the training, validation and test samples: the parts that are given, the others drawn.

    Without a test part the given validation part is the test part, as in the published results of data sets whose test
    labels are not public (GLUE, iNaturalist, Tiny ImageNet), and validation is drawn from the training part.

    Args:
        number: of samples.
        given: positions of "train" and of "val", "test" or both; or nothing.
        fraction: share of the training samples that becomes validation where none is given.
        draw: (positions, fraction, samples that each class keeps in the first part) -> two disjoint parts of them.
    """
    if not given:
        rest, test = draw(np.arange(number), TEST_SHARE, 2)
        return (*draw(rest, fraction, 1), test)
    if "val" in given and "test" in given:
        return given["train"], given["val"], given["test"]
    return (*draw(given["train"], fraction, 1), given["test"] if "test" in given else given["val"])


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise InputError(f"a split takes a fraction between 0 and 1 of the samples, got {fraction}")


def _check_counts(
    counts: Index, needed: int, class_names: Sequence[str] | None, group_names: Sequence[str] | None, grouped: bool
) -> None:
    """Raises for the first cell of ``counts`` (K, G) that has fewer samples than ``needed``."""
    few = np.argwhere(counts < needed)
    if not len(few):
        return
    k, g = few[0].tolist()
    name = f"class {k}" if class_names is None else f"class {class_names[k]!r}"
    group = f"group {g}" if group_names is None else f"group {group_names[g]!r}"
    cell, remedy = (f"{name} of {group}", "class or the group") if grouped else (name, "class")
    n = int(counts[k, g])
    parts = "training and validation" if needed == 2 else "training, validation and test"
    raise InputError(
        f"{cell} has {n} sample{'' if n == 1 else 's'}, too few to split: {parts} need one each, {needed} in all; "
        f"collect more, or merge or drop the {remedy}"
    )
