"""Columns of a table: the target, classes or numbers to predict, and what holds for every column of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError, nearest
from autobalance.data._table_file import finite, is_number, row_name

if TYPE_CHECKING:
    import pandas as pd


def target_column(frame: pd.DataFrame, target: str | None, path: Path, what: str) -> pd.Series:
    """The column that holds what is predicted, once it is known to be there in every row."""
    columns = ", ".join(frame.columns)
    if target is None:
        raise InputError(f"{path} needs `target`, the column that holds the {what}: one of {columns}")
    if target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}: it has {columns}{nearest(target, columns.split(', '))}")
    column = frame[target]
    if column.isna().any():
        row, number = row_name(column, column.isna()), int(column.isna().sum())
        raise InputError(
            f"the target {target!r} is missing in {row}{f' and {number - 1} more' if number > 1 else ''}: "
            "fill it in or drop the row; if a text such as NA or None is the name of a class, say with `na_values` "
            "which texts stand for a missing value"
        )
    return column


def classes_of(column: pd.Series, columns: Iterable[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels 0..K-1 and the K names, in the order of the numbers or else of the alphabet.

    Args:
        column: the target.
        columns: all columns of the table, for the messages.

    Raises:
        InputError: the target is infinite or constant, or a number rather than a class.
    """
    target, number = column.name, is_number(column)
    values = _exact(column) if number else column.astype(str).to_numpy(dtype=object)
    distinct, labels = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        raise InputError(
            f"the target {target!r} is constant, always {column.iloc[0]}: choose another column of {', '.join(columns)}"
        )
    if number and len(distinct) > 20 and (column.dtype.kind == "f" or len(distinct) > len(column) / 20):
        raise InputError(
            f"the target {target!r} is a number with {len(distinct)} different values, not a class: predicting it is "
            "regression, not classification; add `task` regression, or choose a column of classes"
        )
    if column.dtype.kind == "b":
        return labels.astype(np.int64), tuple(str(bool(v)) for v in distinct)
    names = (str(int(v)) if number and float(v).is_integer() else str(v) for v in distinct)
    return labels.astype(np.int64), tuple(names)


def _exact(column: pd.Series) -> NDArray[Any]:
    """The finite numbers of a target column; whole ones as such, since floats merge those beyond 2^53."""
    if column.dtype.kind in "iu":
        return column.to_numpy(np.uint64 if column.dtype.kind == "u" else np.int64)
    return finite(column, "the target")


def numbers_of(column: pd.Series) -> NDArray[np.float64]:
    """A target column of finite numbers that are not all the same, for regression.

    Raises:
        InputError: it is none, with the first row at fault.
    """
    if not is_number(column) or column.dtype.kind == "b":
        raise InputError(
            f"the target {column.name!r} holds no numbers, such as {column.iloc[0]!r}: a regression predicts numbers; "
            "leave `task` regression out, or choose another column"
        )
    values = finite(column, "the target")
    if values.min() == values.max():
        raise InputError(f"the target {column.name!r} is constant, always {column.iloc[0]}: choose another column")
    return values
