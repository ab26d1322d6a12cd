"""A table's rows with what is predicted of each, and its group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autobalance.data._arrays import check_labels
from autobalance.data._options import DataOptions
from autobalance.data.sources._columns import classes_of, numbers_of, target_column
from autobalance.data.sources._group_columns import Groups, groups_of
from autobalance.data.sources._read_table import Rows, open_rows


@dataclass(frozen=True)
class Labelled:
    """Rows of a table, their targets and maybe groups.

    Args:
        rows: as they were read.
        targets: classes 0..K-1, int64, (N,); or numbers, float64.
        class_names: K names; None for numbers.
        groups: of the rows, or None.
    """

    rows: Rows
    targets: NDArray[Any]
    class_names: tuple[str, ...] | None = None
    groups: Groups | None = None

    @property
    def group_names(self) -> tuple[str, ...] | None:
        return None if self.groups is None else self.groups.names

    def group(self, index: NDArray[Any]) -> NDArray[Any] | None:
        """The groups of the rows at ``index``."""
        return None if self.groups is None else self.groups.of_row[index]


def open_labelled(path: Path, options: DataOptions) -> Labelled:
    """The rows that `open_rows` reads, with the target and the groups that ``options`` name.

    Raises:
        InputError: see `open_rows`, `classes_of`, `numbers_of` and `groups_of`; or a part that the table names has no
            sample of a class or group.
    """
    rows = open_rows(path, options)
    what = "number to predict" if options.regression else "class"
    column = target_column(rows.frame, options.target, path, what)
    if options.regression:
        return Labelled(rows, numbers_of(column))
    targets, names = classes_of(column, rows.frame.columns)
    groups = groups_of(rows.frame, options.group, str(column.name), path) if options.group else None
    table = Labelled(rows, targets, names, groups)
    for part, index in rows.given.items():
        check_labels(targets[index], f"the target {options.target!r} of the {part} rows", len(index), len(names))
        if groups is not None:
            place = f"the group of the {part} rows"
            check_labels(groups.of_row[index], place, len(index), len(groups.names), "group")
    return table
