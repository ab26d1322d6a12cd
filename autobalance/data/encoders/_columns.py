"""Single columns of a table as vectors: numbers standardised, dates in parts, categories one-hot; gaps are filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._table_file import finite, is_number, row_name

if TYPE_CHECKING:
    import pandas as pd

#: A column of texts has so many categories at most; the rarer ones are joined.
MOST_CATEGORIES = 40


@dataclass(frozen=True)
class Column(ABC):
    """What becomes of one column.

    Args:
        name: of the column.
    """

    kind: ClassVar[str]

    name: str

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers a value becomes."""

    @abstractmethod
    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        """The values as vectors (N, width).

        Raises:
            InputError: a value that cannot be, with its row.
        """

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    @abstractmethod
    def from_dict(cls, content: dict[str, Any]) -> Column:
        """The column that `to_dict` described, its kind left out.

        Raises:
            KeyError, TypeError, ValueError: it is no description of one.
        """


@dataclass(frozen=True)
class NumberColumn(Column):
    """``(x - mean) / scale``; True is 1 and False 0.

    Args:
        mean, scale: of the training rows, gaps filled.
        fill: what stands for a missing value: the median of the training rows.
        gaps: whether a further number is 1 where the value is missing: where some of the training rows' are.
        written: whether the numbers are texts such as ``2,347.06``.
    """

    kind: ClassVar[str] = "number"

    mean: float
    scale: float
    fill: float
    gaps: bool = False
    written: bool = False

    @classmethod
    def fit(cls, column: pd.Series, written: bool = False) -> NumberColumn:
        numbers = as_numbers(column, written)
        known = numbers[~np.isnan(numbers)]
        fill = float(np.median(known))
        mean, scale = standard(np.where(np.isnan(numbers), fill, numbers)[:, None])
        gaps = len(known) < len(numbers)
        return cls(str(column.name), float(mean[0]), float(scale[0]), fill, gaps, written)

    @property
    def width(self) -> int:
        return 1 + self.gaps

    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        import pandas as pd

        numbers, missing = as_numbers(column, self.written), column.isna().to_numpy()
        if (bad := np.isnan(numbers) & ~missing).any():
            raise InputError(
                f"column {self.name!r} is {column[bad].iloc[0]!r} in {row_name(column, bad)}: it held numbers when the "
                "model was trained"
            )
        filled = finite(pd.Series(np.where(missing, self.fill, numbers), column.index, name=self.name), "column")
        scaled = ((filled - self.mean) / self.scale)[:, None]
        return np.hstack([scaled, missing[:, None]]) if self.gaps else scaled

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> NumberColumn:
        mean, scale, fill = (float(content[name]) for name in ("mean", "scale", "fill"))
        return cls(str(content["name"]), mean, scale, fill, bool(content["gaps"]), bool(content["written"]))


#: The parts of a date, by the names that pandas has for them.
PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")


@dataclass(frozen=True)
class DateColumn(Column):
    """The days since 1970 and those parts of a date that vary, each standardised; a gap is 0, the mean.

    Args:
        parts: names of `PARTS`.
        mean, scale: of the days and of each part, in the training rows.
        gaps: as in `NumberColumn`.
    """

    kind: ClassVar[str] = "date"

    parts: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    gaps: bool = False

    @classmethod
    def fit(cls, column: pd.Series) -> DateColumn:
        dates = as_dates(column).dropna()
        parts = tuple(part for part in PARTS if getattr(dates.dt, part).nunique() > 1)
        mean, scale = standard(_numbers_of(dates, parts))
        return cls(str(column.name), parts, tuple(mean.tolist()), tuple(scale.tolist()), len(dates) < len(column))

    @property
    def width(self) -> int:
        return 1 + len(self.parts) + self.gaps

    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        dates = as_dates(column)
        if (bad := (dates.isna() & column.notna()).to_numpy()).any():
            raise InputError(
                f"column {self.name!r} is {column[bad].iloc[0]!r} in {row_name(column, bad)}: it held dates when the "
                "model was trained"
            )
        missing = dates.isna().to_numpy()
        numbers = (_numbers_of(dates, self.parts) - np.array(self.mean)) / np.array(self.scale)
        numbers = np.where(missing[:, None], 0.0, numbers)
        return np.hstack([numbers, missing[:, None]]) if self.gaps else numbers

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> DateColumn:
        mean, scale = (tuple(map(float, content[name])) for name in ("mean", "scale"))
        parts = tuple(PARTS[PARTS.index(part)] for part in content["parts"])
        return cls(str(content["name"]), parts, mean, scale, bool(content["gaps"]))


def _numbers_of(dates: pd.Series, parts: tuple[str, ...]) -> NDArray[np.float64]:
    """Days since 1970, and the parts, (N, 1 + P)."""
    import pandas as pd

    days = (dates - pd.Timestamp(0)).dt.total_seconds() / 86400
    return np.stack([each.to_numpy(np.float64) for each in (days, *(getattr(dates.dt, part) for part in parts))], 1)


@dataclass(frozen=True)
class CategoryColumn(Column):
    """One number for each of ``values``, 1 where it is the value and else 0.

    Args:
        values: the categories.
        rare: whether a further number is 1 for all other values: where the training rows had too many.
        gaps: as in `NumberColumn`.
    """

    kind: ClassVar[str] = "category"

    values: tuple[str, ...]
    rare: bool = False
    gaps: bool = False

    @classmethod
    def fit(cls, column: pd.Series) -> CategoryColumn:
        known = as_texts(column.dropna())
        counts = Counter(known)
        rare = len(counts) > MOST_CATEGORIES
        if rare:
            frequent = sorted(counts, key=lambda value: (-counts[value], value))[: MOST_CATEGORIES - 1]
            counts = Counter({value: counts[value] for value in frequent if counts[value] > 1})
        return cls(str(column.name), tuple(sorted(counts)), rare, len(known) < len(column))

    @property
    def width(self) -> int:
        return len(self.values) + self.rare + self.gaps

    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        missing = column.isna().to_numpy()
        place = {value: number for number, value in enumerate(self.values)}
        places = np.array([place.get(value, -1) for value in as_texts(column)], dtype=np.int64)
        places[missing] = -2
        width = len(self.values)
        encoded = [places[:, None] == np.arange(width)]
        if self.rare:
            encoded.append(places[:, None] == -1)
        if self.gaps:
            encoded.append(missing[:, None])
        return np.hstack(encoded).astype(np.float64)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> CategoryColumn:
        values = tuple(map(str, content["values"]))
        return cls(str(content["name"]), values, bool(content["rare"]), bool(content["gaps"]))


#: The kinds of columns by name.
COLUMNS: dict[str, type[Column]] = {kind.kind: kind for kind in (NumberColumn, DateColumn, CategoryColumn)}


def as_texts(column: pd.Series) -> pd.Series:
    """The values of a column as texts; whole numbers alike, whether gaps made them 3.0 or not: 3."""
    if not is_number(column) or column.dtype.kind == "b":
        return column.astype(str)
    return column.map(lambda value: str(int(value) if float(value).is_integer() else value), na_action="ignore")


def as_numbers(column: pd.Series, written: bool) -> NDArray[np.float64]:
    """The numbers of a column; NaN for what is none.

    Args:
        column: of numbers, or of texts.
        written: whether commas between thousands are left out.
    """
    import pandas as pd

    if written:
        text = column.astype(str).str.strip()
        grouped = text.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
        column = text.where(~grouped, text.str.replace(",", ""))
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def as_dates(column: pd.Series) -> pd.Series:
    """The dates of a column, of no time zone; NaT for what is none. Texts have to be as ISO 8601 writes them."""
    import pandas as pd

    if column.dtype.kind == "M" and getattr(column.dt, "tz", None) is None:
        return column
    column = as_texts(column) if is_number(column) else column
    return pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)


def standard(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation by column, as scikit-learn's StandardScaler finds them: 1 where one is constant."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    return scaler.mean_, scaler.scale_
