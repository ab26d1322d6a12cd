"""The input columns of a table as vectors: numbers standardised, texts one-hot, free text by its words."""

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
from autobalance.data._table_file import finite, is_number, read_table, row_name
from autobalance.data.encoders._columns import COLUMNS, CategoryColumn, Column, NumberColumn, standard
from autobalance.data.encoders._encoder import Encoder, Kept
from autobalance.data.encoders._text import TextEncoder

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 1000


@dataclass(frozen=True)
class TableEncoder(Encoder):
    """Rows as vectors: free text first, standardised; then the other columns, one after the other.

    Args:
        columns: what becomes of each column, those of numbers first.
        text: what becomes of free text; None where there is none.
        mean, scale: of the vectors of the free text.
    """

    kind: ClassVar[str] = "table"
    takes: ClassVar[str] = "a table in a .csv, .tsv or .parquet file"

    columns: tuple[Column, ...]
    text: TextEncoder | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

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
        _check_missing(others)
        for name in others:
            _check_column(others[name])
        numbers = [NumberColumn.fit(train[name]) for name in others if is_number(others[name])]
        categories = [CategoryColumn.fit(train[name]) for name in others if not is_number(others[name])]
        encoder = cls((*numbers, *categories))
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
        _check_missing(table[[column.name for column in self.columns]])
        encoded: list[NDArray[np.float64]] = []
        if self.text is not None:
            encoded.append((self.text.vectors(table) - np.array(self.mean)) / np.array(self.scale))
        encoded += [column.encode(table[column.name]) for column in self.columns]
        return torch.from_numpy(np.hstack(encoded).astype(np.float32))

    def names(self, data: Any) -> None:
        return None

    def kept(self) -> Kept:
        settings: dict[str, Any] = {"kind": self.kind, "columns": [column.to_dict() for column in self.columns]}
        if self.text is None:
            return Kept(settings, {})
        text = self.text.kept()
        return Kept({**settings, "text": text.settings, "mean": self.mean, "scale": self.scale}, text.tensors)

    @classmethod
    def made_of(cls, kept: Kept) -> TableEncoder:
        described = [dict(each) for each in kept.settings["columns"]]
        columns = tuple(COLUMNS[each.pop("kind")].from_dict(each) for each in described)
        if (settings := kept.settings.get("text")) is None:
            return cls(columns)
        mean, scale = (tuple(map(float, kept.settings[name])) for name in ("mean", "scale"))
        return cls(columns, TextEncoder.made_of(Kept(settings, kept.tensors)), mean, scale)


def _check_missing(features: pd.DataFrame) -> None:
    """Raises where values are missing, with all the columns that lack some, so that one look is enough."""
    numbers = {str(name): int(features[name].isna().sum()) for name in features}
    first, *others = [name for name, number in numbers.items() if number] or [""]
    if not first:
        return
    named = [f"{name!r} in {numbers[name]} rows" for name in others[:5]]
    more = [f"{len(others) - 5} more columns"] if len(others) > 5 else []
    raise InputError(
        f"column {first!r} has no value (NaN) in {row_name(features[first], features[first].isna())}"
        + (f" and {numbers[first] - 1} more" if numbers[first] > 1 else "")
        + (f"; nor have {', '.join(named + more)}" if others else "")
        + ": fill them in (a median, or a text such as 'unknown'), drop the rows, or `drop` "
        + ",".join([first, *others])
    )


def _check_column(column: pd.Series) -> None:
    """Raises for a feature that cannot be encoded: values infinite, of a type or number that does not fit."""
    if is_number(column):
        finite(column, "column")
    elif column.dtype.kind in "mM":
        raise InputError(f"column {column.name!r} holds dates: turn it into numbers or `drop` it")
    elif column.astype(str).nunique() > MAX_CATEGORIES:
        raise InputError(
            f"column {column.name!r} has {column.astype(str).nunique()} different texts, more than {MAX_CATEGORIES}: "
            "`drop` it, it looks like a name, or name it in `text` if it is free text"
        )
