"""How a column of a table is read: as its values say, or as the user does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autobalance.common import InputError
from autobalance.data._table_file import finite, is_number, row_name
from autobalance.data.encoders._columns import (
    MOST_CATEGORIES,
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    as_dates,
    as_numbers,
)

if TYPE_CHECKING:
    import pandas as pd


class ColumnRead(NamedTuple):
    """What became of a column, for people.

    Args:
        column: its name, or two names of texts that are compared.
        reading: "number", "date", "category", "free text" or "left out".
        inputs: how many numbers the model is given for it.
        more: what was done beside what is done to all of its kind, or why it was left out.
    """

    column: str
    reading: str
    inputs: int
    more: str


def fit_column(name: str, column: pd.Series, train: pd.Series, reading: str | None = None) -> Column | str:
    """What becomes of a column, or why it is left out.

    Args:
        name: of the column.
        column: all rows, which tell what kind it is.
        train: the training rows, which tell the rest.
        reading: a name of `READINGS`, where the user says what kind it is.

    Raises:
        InputError: values that are infinite, or none of the kind that the user says.
    """
    import pandas as pd

    if reading == "drop":
        return "as you said"
    values = train.nunique()
    if values < 2 and not (values and train.isna().any()):
        return "no value" if not values else "always the same value"
    kind = reading or _kind_of(column)
    if reading is None and kind == "category" and values == train.notna().sum() and values > MOST_CATEGORIES:
        return "a different text in every row, like a name; free text has to be named in `text`"
    if kind == "number":
        if written := not is_number(column):
            _check(column, np.isnan(as_numbers(column, written)), "number")
        else:
            finite(pd.Series(as_numbers(column, written), column.index, name=name).fillna(0), "column")
        return NumberColumn.fit(train, written)
    if kind == "date":
        _check(column, as_dates(column).isna().to_numpy(), "date, as ISO 8601 writes it (2024-05-31)")
        return DateColumn.fit(train)
    fitted = CategoryColumn.fit(train)
    if not fitted.values:
        raise InputError(f"`columns`: {name!r} has another value in every row: as a category it tells nothing")
    return fitted


def _kind_of(column: pd.Series) -> str:
    """What the values of a column say that it is."""
    if is_number(column):
        return "number"
    if column.dtype.kind == "M":
        return "date"
    texts = column.dropna().astype(str)
    if not np.isnan(as_numbers(texts, written=True)).any():
        return "number"
    if texts.str.match(r"\d{4}-\d\d").all() and as_dates(texts).notna().all():
        return "date"
    return "category"


def _check(column: pd.Series, unread: np.typing.NDArray[np.bool_], what: str) -> None:
    """Raises for the first value that is there and cannot be read."""
    if (bad := unread & column.notna().to_numpy()).any():
        more = f", and in {bad.sum() - 1} rows more" if bad.sum() > 1 else ""
        raise InputError(
            f"`columns`: {column.name!r} is {column[bad].iloc[0]!r} in {row_name(column, bad)}{more}, which is no "
            f"{what}: correct it, leave it empty, or read the column as a category"
        )


def told(column: Column) -> list[str]:
    """What was done to a column beside what is done to all of its kind."""
    found = []
    if isinstance(column, CategoryColumn):
        found = [f"{len(column.values)} values", *(["the rest joined"] if column.rare else [])]
    if isinstance(column, NumberColumn) and column.written:
        found.append("written as texts")
    if getattr(column, "gaps", False):
        found.append("gaps filled" if isinstance(column, NumberColumn) else "gaps marked")
    return found
