"""A table in a file, and what holds for every column of it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


def read_table(path: Path, missing: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows of a file, its column names as text. In .tsv files quotation marks are characters like any other.

    Args:
        path: the file.
        missing: the texts that stand for a missing value; None: those that pandas knows, such as "", "NA" and "None".

    Raises:
        InputError: there is no such file, it cannot be read or has no rows; two columns have one name; a row has more
            fields than the header; ``missing`` for a file that has values and no texts.
    """
    import pandas as pd

    if missing is not None and path.suffix == ".parquet":
        raise InputError(f"`na_values` has no effect on {path}: the file itself says which values are missing")
    own: dict[str, Any] = {"sep": "\t", "quoting": 3} if path.name.endswith((".tsv", ".tsv.gz")) else {}

    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            names = [str(name) for name in frame.columns]
        else:
            # The header as a row of its own: else pandas renames columns of one name, and takes the first column for
            # an index where the next row is longer, whose line is said here.
            header = pd.read_csv(path, header=None, nrows=2, dtype=str, keep_default_na=False, **own)
            names = header.iloc[0].tolist()
            gaps: dict[str, Any] = {} if missing is None else {"keep_default_na": False, "na_values": list(missing)}
            frame = pd.read_csv(path, low_memory=False, **gaps, **own)
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow to be read: pip install 'autobalance[parquet]'") from error
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as a table: {reason}") from error
    frame.columns = [str(column) for column in frame.columns]
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise InputError(
            f"{path} has {names.count(twice)} columns called {twice!r}: rename or remove all but one; a copy of the "
            "target would give the answer away"
        )
    if len(frame.columns) == 1 and (other := next((sign for sign in ";\t|" if sign in frame.columns[0]), None)):
        raise InputError(
            f"{path} has one column, {frame.columns[0]!r:.80}: its values seem to be separated by {other!r}, where a "
            ".csv has commas; write it again, as pandas.read_csv(..., sep=...).to_csv(...) does"
        )
    if len(frame) == 0:
        raise InputError(f"{path} has a header but no rows")
    return frame


def row_name(column: pd.Series, bad: pd.Series | NDArray[np.bool_]) -> str:
    """The first row of ``column`` at which ``bad`` is True, counted from 1 without the header."""
    import pandas as pd

    at = int(np.argmax(np.asarray(bad)))
    return f"data row {at + 1}" if isinstance(column.index, pd.RangeIndex) else str(column.index[at])


def is_number(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column.dtype)


def finite(column: pd.Series, what: str) -> NDArray[np.float64]:
    """The values of a column of numbers.

    Args:
        column: without missing values.
        what: it is, for the message: "column" or "the target".

    Raises:
        InputError: a value that is not a finite float32 number, with its row.
    """
    values = column.to_numpy(np.float64)
    fine = np.abs(values) <= np.finfo(np.float32).max
    if not fine.all():
        value, row = values[np.argmin(fine)], row_name(column, ~fine)
        raise InputError(f"{what} {column.name!r} is {value} in {row}: it must be finite")
    return values
