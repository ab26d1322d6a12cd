"""The input columns of a table as vectors: each as what its values are, free text by its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError, nearest
from autobalance.data._table_file import read_table
from autobalance.data.encoders._columns import COLUMNS, Column, standard
from autobalance.data.encoders._encoder import Encoder, Kept
from autobalance.data.encoders._readings import ColumnRead, fit_column, told
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
        missing: the texts in a file that stand for a missing value, see `DataOptions`.
    """

    kind: ClassVar[str] = "table"
    takes: ClassVar[str] = "a table in a .csv, .tsv or .parquet file"

    columns: tuple[Column, ...]
    text: TextEncoder | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] | None = None

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        text: Sequence[str] = (),
        rows: NDArray[np.int64] | None = None,
        readings: Mapping[str, str] | None = None,
    ) -> TableEncoder:
        """With statistics, categories and vocabulary of training rows.

        Args:
            table: the input columns of all rows, which all have to be fit for use.
            text: those columns that `TextEncoder` encodes.
            rows: positions of the training rows; None: all.
            readings: for columns by name how they are read, see `DataOptions`; the others as what their values are.

        Raises:
            InputError: a column that cannot be encoded, or not as ``readings`` says.
        """
        readings = readings or {}
        text = _texts(table, text, readings)
        train = table if rows is None else table.iloc[rows]
        others = table.drop(columns=list(text))
        fitted_columns = {
            str(name): fit_column(str(name), others[name], train[name], readings.get(str(name))) for name in others
        }
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
        return read_table(Path(source), self.missing)

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

    def columns_read(self) -> list[ColumnRead]:
        """What became of each column, in the order of the inputs, and then what was left out."""
        text, width = [], len(self.mean)
        if self.text is not None:
            pair = " and ".join(self.text.columns)
            text = [ColumnRead(pair, "free text", width, "compared" if len(self.text.columns) == 2 else "")]
        columns = [ColumnRead(each.name, each.kind, each.width, ", ".join(told(each))) for each in self.columns]
        return [*text, *columns, *(ColumnRead(name, "left out", 0, why) for name, why in self.dropped)]

    def describe(self) -> list[str]:
        """How the columns were read, a line a kind."""
        lines = []
        for kind, plural in (("number", "numbers"), ("date", "dates, in parts"), ("category", "categories, one-hot")):
            of_kind = [column for column in self.columns if column.kind == kind]
            if of_kind:
                lines.append(f"{plural}: {', '.join(map(_told, of_kind))}")
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
        if self.missing is not None:
            settings["na_values"] = self.missing
        if self.text is None:
            return Kept(settings, {})
        text = self.text.kept()
        return Kept({**settings, "text": text.settings, "mean": self.mean, "scale": self.scale}, text.tensors)

    @classmethod
    def made_of(cls, kept: Kept) -> TableEncoder:
        described = [dict(each) for each in kept.settings["columns"]]
        columns = tuple(COLUMNS[each.pop("kind")].from_dict(each) for each in described)
        dropped = tuple((str(name), str(why)) for name, why in kept.settings["dropped"])
        missing = kept.settings.get("na_values")
        missing = None if missing is None else tuple(map(str, missing))
        if (settings := kept.settings.get("text")) is None:
            return cls(columns, dropped=dropped, missing=missing)
        mean, scale = (tuple(map(float, kept.settings[name])) for name in ("mean", "scale"))
        return cls(columns, TextEncoder.made_of(Kept(settings, kept.tensors)), mean, scale, dropped, missing)


def _texts(table: pd.DataFrame, text: Sequence[str], readings: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of free text, those of ``readings`` included, once all names in it are known."""
    if unknown := [name for name in readings if name not in table.columns]:
        raise InputError(
            f"`columns`: {unknown[0]!r} is none of the inputs, which are {', '.join(table.columns)}"
            f"{nearest(unknown[0], table.columns)}"
        )
    if both := [name for name in text if name in readings]:
        raise InputError(f"`columns`: {both[0]!r} is named in `text` already")
    found = (*text, *(name for name, reading in readings.items() if reading == "text"))
    if len(found) > max(1, len(text)):
        raise InputError(
            f"`columns`: one column can be free text, not {' and '.join(found)}; two that are to be compared go into "
            "`text`"
        )
    return found


def _told(column: Column) -> str:
    """A column's name, and what was done to it beside what is done to all of its kind."""
    more = ", ".join(told(column))
    return f"{column.name} ({more})" if more else column.name
