"""Which classes, bins or cells gain by the searched loss, and which pay for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autobalance.study.report._difference import sampled
from autobalance.study.report._ranking import as_float
from autobalance.study.report._scores import Score

#: Of a normal distribution: so many standard errors hold 95 %.
TWO_SIDED = 1.96


@dataclass(frozen=True)
class Change:
    """The error of a class, bin or cell with the searched loss less that with a fixed one.

    Args:
        name: of the class or bin, or of the class and the group.
        points: below 0 where it gains; percent, or for a regression the MAE in the target's unit.
    """

    name: str
    points: float


def changes(result: dict[str, Any], searched: Score, fixed: Score) -> list[Change] | None:
    """The changes that are beyond chance, the largest gain first; None where there is no spread to tell by.

    A change counts where it is larger than the combined standard deviation over the seeds; of a single seed where it
    is larger than 1.96 standard errors over the paired test samples of the class. Of many classes some do by chance.
    """
    test = result["test"]
    own, other = test[searched.method], test[fixed.method]
    key = next((key for key in ("cell_error", "class_error", "bin_mae") if key in own and key in other), None)
    if key is None:
        return None
    values, others = _flat(own[key]), _flat(other[key])
    if min(searched.seeds, fixed.seeds) > 1:
        stds = _flat(own.get(f"{key}_std")), _flat(other.get(f"{key}_std"))
        spreads = [math.hypot(*pair) for pair in zip(*stds, strict=True)]
    else:
        spreads = [TWO_SIDED * as_float(error) for error in sampled(result, fixed).get("standard_error") or ()]
    if not spreads:
        return None
    found = [
        Change(name, value - before)
        for name, value, before, spread in zip(_names(result, key), values, others, spreads, strict=True)
        if abs(value - before) > spread
    ]
    return sorted(found, key=lambda change: change.points)


def _names(result: dict[str, Any], key: str) -> list[str]:
    classes = [str(name) for name in result.get("class_names") or range(len(result["class_counts"]))]
    if key != "cell_error":
        return classes
    return [f"{name} in {group}" for name in classes for group in result["group_names"]]


def _flat(table: Any) -> list[float]:
    """Numbers of a list, or of a list of lists; NaN for what is not known."""
    if not isinstance(table, Sequence):
        return []
    return [as_float(value) for row in table for value in (row if isinstance(row, Sequence) else [row])]
