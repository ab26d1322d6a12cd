"""The input columns of a table as vectors: each as what its values are, free text by its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._table_file import finite, is_number, read_table
from autobalance.data.encoders._columns import (
    COLUMNS,
    MOST_CATEGORIES,
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    as_dates,
    as_numbers,
    standard,
)
from autobalance.data.encoders._encoder import Encoder, Kept
from autobalance.data.encoders._text import TextEncoder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableEncoder(Encoder):
    """Rows as vectors: free text first, standardised; then the other columns, one after the other.

    Args:
        columns: what becomes of each column, those of numbers first.
        text: what becomes of free text; None where there is none.
        mean, scale: of the vectors of the free text.
        dropped: names of columns that were left out, and why.
    """

    kind: ClassVar[str] = "table"
    takes: ClassVar[str] = "a table in a .csv, .tsv or .parquet file"

    columns: tuple[Column, ...]
    text: TextEncoder | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def fit(cls, table: pd.DataFrame, text: Sequence[str] = (), rows: NDArray[np.int64] | None = None) -> TableEncoder:
        """With statistics, categories and vocabulary of training rows.

        Args:
            table: the input columns of all rows, which all have to be fit for use.
            text: those columns that `TextEncoder` encodes.
            rows: positions of the training rows; None: all.

        Raises:
            InputError: a column that cannot be encoded.
        """
        train = table if rows is None else table.iloc[rows]
        others = table.drop(columns=list(text))
        fitted_columns = {str(name): fit_column(str(name), others[name], train[name]) for name in others}
        dropped = tuple((name, each) for name, each in fitted_columns.items() if isinstance(each, str))
        kept = [each for each in fitted_columns.values() if isinstance(each, Column)]
        if not kept and not text:
            reasons = "; ".join(f"{name}: {why}" for name, why in dropped)
            raise InputError(f"there is no column to learn from ({reasons})")
        order = list(COLUMNS)
        encoder = cls(tuple(sorted(kept, key=lambda column: order.index(column.kind))), dropped=dropped)
        if not text:
            return encoder
        fitted = TextEncoder.fit(train[list(text)])
        mean, scale = standard(fitted.vectors(train))
        return replace(encoder, text=fitted, mean=tuple(mean.tolist()), scale=tuple(scale.tolist()))

    @property
    def names_needed(self) -> list[str]:
        """The columns that a row needs."""
        return [*(self.text.columns if self.text else ()), *(column.name for column in self.columns)]

    def read(self, source: str) -> pd.DataFrame:
        return read_table(Path(source))

    def encode(self, data: Any) -> Tensor:
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise InputError(f"the model is for rows of a pandas DataFrame, not for a {type(data).__name__}")
        table = data.rename(columns=str)
        if missing := [name for name in self.names_needed if name not in table.columns]:
            raise InputError(
                f"there is no column {missing[0]!r}, which the model needs: there are {', '.join(table.columns)}"
            )
        encoded: list[NDArray[np.float64]] = []
        if self.text is not None:
            encoded.append((self.text.vectors(table) - np.array(self.mean)) / np.array(self.scale))
        encoded += [column.encode(table[column.name]) for column in self.columns]
        return torch.from_numpy(np.hstack(encoded).astype(np.float32))

    def describe(self) -> list[str]:
        """How the columns were read, a line a kind."""
        lines = []
        for kind, plural in (("number", "numbers"), ("date", "dates, in parts"), ("category", "categories, one-hot")):
            of_kind = [column for column in self.columns if column.kind == kind]
            if of_kind:
                lines.append(f"{plural}: {', '.join(_told(column) for column in of_kind)}")
        if self.text is not None:
            lines.append(f"free text: {', '.join(self.text.columns)}")
        if self.dropped:
            lines.append("left out: " + "; ".join(f"{name} ({why})" for name, why in self.dropped))
        return lines

    def names(self, data: Any) -> None:
        return None

    def kept(self) -> Kept:
        columns = [column.to_dict() for column in self.columns]
        settings: dict[str, Any] = {"kind": self.kind, "columns": columns, "dropped": self.dropped}
        if self.text is None:
            return Kept(settings, {})
        text = self.text.kept()
        return Kept({**settings, "text": text.settings, "mean": self.mean, "scale": self.scale}, text.tensors)

    @classmethod
    def made_of(cls, kept: Kept) -> TableEncoder:
        described = [dict(each) for each in kept.settings["columns"]]
        columns = tuple(COLUMNS[each.pop("kind")].from_dict(each) for each in described)
        dropped = tuple((str(name), str(why)) for name, why in kept.settings["dropped"])
        if (settings := kept.settings.get("text")) is None:
            return cls(columns, dropped=dropped)
        mean, scale = (tuple(map(float, kept.settings[name])) for name in ("mean", "scale"))
        return cls(columns, TextEncoder.made_of(Kept(settings, kept.tensors)), mean, scale, dropped)


def fit_column(name: str, column: pd.Series, train: pd.Series) -> Column | str:
    """What becomes of a column, or why it is left out.

    Args:
        name: of the column.
        column: all rows, which tell what kind it is.
        train: the training rows, which tell the rest.

    Raises:
        InputError: values that are infinite.
    """
    import pandas as pd

    values = train.nunique()
    if values < 2 and not (values and train.isna().any()):
        return "no value" if not values else "always the same value"
    if is_number(column):
        known = pd.Series(as_numbers(column, written=False), column.index, name=name).fillna(0)
        finite(known, "column")
        return NumberColumn.fit(train)
    if column.dtype.kind == "M":
        return DateColumn.fit(train)
    texts = column.dropna().astype(str)
    if not np.isnan(as_numbers(texts, written=True)).any():
        return NumberColumn.fit(train, written=True)
    if texts.str.match(r"\d{4}-\d\d").all() and as_dates(texts).notna().all():
        return DateColumn.fit(train)
    if values == len(train) and values > MOST_CATEGORIES:
        return "a different text in every row, like a name; free text has to be named in `text`"
    return CategoryColumn.fit(train)


def _told(column: Column) -> str:
    """A column's name, and what was done to it beside what is done to all of its kind."""
    told = []
    if isinstance(column, CategoryColumn):
        told = [f"{len(column.values)} values", *(["the rest joined"] if column.rare else [])]
    if isinstance(column, NumberColumn) and column.written:
        told.append("written as texts")
    if getattr(column, "gaps", False):
        told.append("gaps filled" if isinstance(column, NumberColumn) else "gaps marked")
    return column.name + (f" ({', '.join(told)})" if told else "")
