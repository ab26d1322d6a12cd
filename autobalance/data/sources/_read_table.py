"""Rows of a table, from one file or from one file a part, and which part they belong to where the table says so."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._options import DataOptions
from autobalance.data._split import Index
from autobalance.data.sources._part_files import PART_NAMES, part_files

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


@dataclass(frozen=True)
class Rows:
    """A table.

    Args:
        name: what the tables of results call it.
        frame: all rows; where they come from several files, its index says for the messages which is which.
        given: positions of "train", "val" and "test", as far as the table says so.
    """

    name: str
    frame: pd.DataFrame
    given: dict[str, Index]

    @property
    def own_validation(self) -> bool:
        return "val" in self.given and "test" in self.given


def is_table(source: str) -> bool:
    """Whether ``source`` is a table, or a folder that holds one for each part."""
    path = Path(source)
    return bool(part_files(path, SUFFIXES)) if path.is_dir() else source.endswith(SUFFIXES)


def open_rows(path: Path, options: DataOptions) -> Rows:
    """A table without the columns to drop and the column that says which part a row belongs to.

    Args:
        path: a file; or a folder that holds a file for each part, see `part_files`.
        options: ``drop``, ``split``, ``text`` and ``target`` name columns.

    Raises:
        InputError: a file cannot be read, files that do not fit together, an unknown column, an unknown part.
    """
    rows = _rows_of_files(path) if path.is_dir() else Rows(_stem(path), read_table(path), {})
    frame, given = rows.frame, rows.given
    for name in ("text", "drop"):
        for column in getattr(options, name):
            if column not in frame.columns:
                raise InputError(f"`{name}`: {path} has no column {column!r}: it has {', '.join(frame.columns)}")
            if column == options.target:
                raise InputError(f"`{name}` {column} is the target")
    if len(options.text) > 2:
        raise InputError(f"`text` {','.join(options.text)}: give one column, or two whose texts are compared")
    if both := set(options.text) & set(options.drop):
        raise InputError(f"column {min(both)!r} cannot be both in `text` and in `drop`")
    if options.split is not None:
        if given:
            raise InputError(f"`split` {options.split} has no effect on {path}, which has a file for each part")
        given = _parts_of_column(frame, options.split, path)
        frame = frame.drop(columns=[options.split])
    return Rows(rows.name, frame.drop(columns=list(options.drop)), given)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a file, its column names as text. In .tsv files quotation marks are characters like any other.

    Raises:
        InputError: there is no such file, it cannot be read or has no rows; two columns have one name; a row has more
            fields than the header.
    """
    import pandas as pd

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
            frame = pd.read_csv(path, low_memory=False, **own)
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


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _rows_of_files(folder: Path) -> Rows:
    import pandas as pd

    files = part_files(folder, SUFFIXES)
    frames = {part: read_table(file) for part, file in files.items()}
    first = frames["train"]
    for part, frame in frames.items():
        here, there = files[part].name, files["train"].name
        if other := set(first.columns) ^ set(frame.columns):
            raise InputError(f"{folder}: only one of {there} and {here} has the column {min(other)!r}: all need it")
        for name in first:
            if is_number(first[name]) != is_number(frame[name]):
                raise InputError(f"{folder}: column {name!r} holds numbers in only one of {there} and {here}")
        frame.index = pd.Index([f"{here}, data row {i + 1}" for i in range(len(frame))])
    ends = np.cumsum([len(frame) for frame in frames.values()])
    given = {part: np.arange(end - len(frames[part]), end) for part, end in zip(frames, ends, strict=True)}
    return Rows(folder.resolve().name, pd.concat(list(frames.values())), given)


def _parts_of_column(frame: pd.DataFrame, name: str, path: Path) -> dict[str, Index]:
    if name not in frame.columns:
        raise InputError(f"`split`: {path} has no column {name!r}: it has {', '.join(frame.columns)}")
    words = frame[name].astype(str)
    unknown = ~words.str.lower().isin(PART_NAMES)
    if unknown.any():
        word, row = words[unknown].iloc[0], row_name(words, unknown)
        raise InputError(f"`split` {name} is {word!r} in {row} of {path}: it must be train, val or test")
    parts = words.str.lower().map(PART_NAMES).to_numpy()
    given = {part: np.flatnonzero(parts == part) for part in ("train", "val", "test") if (parts == part).any()}
    if "train" not in given or len(given) == 1:
        raise InputError(f"`split` {name} of {path} says {', '.join(given)} only: it needs train, and test or val")
    return given
