"""The groups of a table's rows: values of a column, numbers cut into ranges, or combinations of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError, nearest
from autobalance.data._table_file import is_number, row_name

if TYPE_CHECKING:
    import pandas as pd

#: A column with more different values than this does not make groups: it is a number to cut, or a name.
MOST_VALUES = 20


class Groups(NamedTuple):
    """Each row's group ``of_row`` (N,), 0..G-1, the G ``names``, and the ``columns`` that they come from."""

    of_row: NDArray[np.int64]
    names: tuple[str, ...]
    columns: tuple[str, ...]


def groups_of(frame: pd.DataFrame, spec: Sequence[str], target: str, path: Path) -> Groups:
    """The groups that ``spec`` asks for.

    Args:
        frame: the table.
        spec: columns, each ``sex``; or for a column of numbers with one or more increasing cuts, ``age:25`` or
            ``age:25:45``, where a row that lies on a cut belongs to the upper range. The combinations of several
            columns are the groups; those that no row has are left out.
        target: the column that is predicted, which cannot be the group.
        path: of the table, for messages.

    Raises:
        InputError: an unknown column, missing values, a number without cuts, or fewer than two groups.
    """
    asked = f"`group` {','.join(spec)}"
    parts = [_split(part, frame, path) for part in spec]
    names = [name for name, _ in parts]
    if target in names:
        raise InputError(f"{asked}: {target!r} is the target: choose another column")
    if len(set(names)) < len(names):
        raise InputError(f"{asked} names a column twice")
    found = [_of_column(frame[name], cuts) for name, cuts in parts]
    combined = np.stack([index for index, _ in found], axis=1)
    there, index = np.unique(combined, axis=0, return_inverse=True)
    if len(there) < 2:
        raise InputError(f"{asked}: all rows are in one group; choose another column or cut")
    texts = [", ".join(found[j][1][value] for j, value in enumerate(row)) for row in there.tolist()]
    return Groups(index.reshape(-1).astype(np.int64), tuple(texts), tuple(names))


def _split(part: str, frame: pd.DataFrame, path: Path) -> tuple[str, str]:
    """A column and the text of its cuts."""
    name, _, cuts = (part.strip(), "", "") if part.strip() in frame.columns else part.strip().partition(":")
    if name not in frame.columns:
        raise InputError(
            f"{path} has no column {name!r} for `group`: it has {', '.join(frame.columns)}"
            f"{nearest(name, frame.columns)}"
        )
    return name, cuts


def _of_column(column: pd.Series, cuts: str) -> tuple[NDArray[np.int64], list[str]]:
    """Each row's group of one column, and the groups' names."""
    name = column.name
    if column.isna().any():
        row = row_name(column, column.isna())
        raise InputError(f"the group {name!r} has no value (NaN) in {row}: fill it in or drop the row")
    number = is_number(column) and column.dtype.kind != "b"
    if cuts:
        if not number:
            raise InputError(f"the group {name!r} holds no numbers to cut at {cuts}: leave the cuts out")
        return _cut(column.to_numpy(np.float64), str(name), _cuts(cuts, str(name)))
    distinct, index = np.unique(column.to_numpy() if number else column.astype(str).to_numpy(), return_inverse=True)
    if len(distinct) > MOST_VALUES:
        help = f"give cuts, such as `group` {name}:{np.median(distinct):g}" if number else "choose another column"
        raise InputError(f"the group {name!r} has {len(distinct)} different values, more than {MOST_VALUES}: {help}")
    texts = [f"{name} {value:g}" if number else str(value) for value in distinct.tolist()]
    return index.astype(np.int64), texts


def _cuts(text: str, name: str) -> list[float]:
    try:
        cuts = [float(cut) for cut in text.split(":")]
    except ValueError:
        cuts = []
    if not cuts or not all(map(math.isfinite, cuts)) or any(b <= a for a, b in pairwise(cuts)):
        raise InputError(
            f"`group` {name}:{text}: cuts are one or more increasing numbers with colons between, as in {name}:25:45"
        )
    return cuts


def _cut(values: NDArray[np.float64], name: str, cuts: list[float]) -> tuple[NDArray[np.int64], list[str]]:
    middle = [f"{a:g} <= {name} < {b:g}" for a, b in pairwise(cuts)]
    names = [f"{name} < {cuts[0]:g}", *middle, f"{name} >= {cuts[-1]:g}"]
    return np.searchsorted(cuts, values, side="right").astype(np.int64), names
