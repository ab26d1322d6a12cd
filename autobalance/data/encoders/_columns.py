"""Single columns of a table as vectors: numbers standardised, categories one-hot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._table_file import finite, row_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column(ABC):
    """What becomes of one column.

    Args:
        name: of the column.
    """

    kind: ClassVar[str]

    name: str

    @abstractmethod
    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        """The values, none of them missing, as vectors (N, width).

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
    """``(x - mean) / scale``; True is 1 and False 0."""

    kind: ClassVar[str] = "number"

    mean: float
    scale: float

    @classmethod
    def fit(cls, column: pd.Series) -> NumberColumn:
        mean, scale = standard(column.to_numpy(np.float64)[:, None])
        return cls(str(column.name), float(mean[0]), float(scale[0]))

    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        import pandas as pd

        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.isna().any():
            raise InputError(
                f"column {self.name!r} is {column[numbers.isna()].iloc[0]!r} in {row_name(column, numbers.isna())}: "
                "it held numbers when the model was trained"
            )
        return ((finite(numbers, "column") - self.mean) / self.scale)[:, None]

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> NumberColumn:
        return cls(str(content["name"]), float(content["mean"]), float(content["scale"]))


@dataclass(frozen=True)
class CategoryColumn(Column):
    """One number for each of ``values``, 1 where it is the value and else 0; a value that is none of them is zeros."""

    kind: ClassVar[str] = "category"

    values: tuple[str, ...]

    @classmethod
    def fit(cls, column: pd.Series) -> CategoryColumn:
        return cls(str(column.name), tuple(sorted(set(column.astype(str)))))

    def encode(self, column: pd.Series) -> NDArray[np.float64]:
        place = {value: number for number, value in enumerate(self.values)}
        places = np.array([place.get(value, -1) for value in column.astype(str)], dtype=np.int64)
        return (places[:, None] == np.arange(len(self.values))).astype(np.float64)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> CategoryColumn:
        return cls(str(content["name"]), tuple(map(str, content["values"])))


#: The kinds of columns by name.
COLUMNS: dict[str, type[Column]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn)}


def standard(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation by column, as scikit-learn's StandardScaler finds them: 1 where one is constant."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    return scaler.mean_, scaler.scale_
