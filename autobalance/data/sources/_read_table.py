"""Rows of a table, from one file or from one file a part, and which part they belong to where the table says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autobalance.common import InputError, nearest
from autobalance.data._options import DataOptions
from autobalance.data._split import Index
from autobalance.data._table_file import SUFFIXES, is_number, read_table, row_name
from autobalance.data.sources._part_files import PART_NAMES, part_files

if TYPE_CHECKING:
    import pandas as pd


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


#: Parts as published group problems of images (Waterbirds, CelebA) and WILDS number them.
NUMBERED = {"0": "train", "1": "val", "2": "test"}


def is_table(source: str) -> bool:
    """Whether ``source`` is a table, or a folder that holds one for each part."""
    path = Path(source)
    return bool(part_files(path, SUFFIXES)) if path.is_dir() else source.endswith(SUFFIXES)


def open_rows(path: Path, options: DataOptions) -> Rows:
    """A table without the columns to drop and the column that says which part a row belongs to.

    Args:
        path: a file; or a folder that holds a file for each part, see `part_files`.
        options: ``drop``, ``split``, ``text`` and ``target`` name columns; ``na_values`` are missing.

    Raises:
        InputError: a file cannot be read, files that do not fit together, an unknown column, an unknown part.
    """
    rows = (
        _rows_of_files(path, options) if path.is_dir() else Rows(_stem(path), read_table(path, options.na_values), {})
    )
    frame, given = rows.frame, rows.given
    for name in ("text", "drop"):
        for column in getattr(options, name):
            if column not in frame.columns:
                raise InputError(
                    f"`{name}`: {path} has no column {column!r}: it has {', '.join(frame.columns)}"
                    f"{nearest(column, frame.columns)}"
                )
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


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _rows_of_files(folder: Path, options: DataOptions) -> Rows:
    import pandas as pd

    files = part_files(folder, SUFFIXES)
    frames = {part: read_table(file, options.na_values) for part, file in files.items()}
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
        raise InputError(
            f"`split`: {path} has no column {name!r}: it has {', '.join(frame.columns)}{nearest(name, frame.columns)}"
        )
    words = frame[name].astype(str)
    if words.isin(NUMBERED).all():
        words = words.map(NUMBERED)
    unknown = ~words.str.lower().isin(PART_NAMES)
    if unknown.any():
        word, row = words[unknown].iloc[0], row_name(words, unknown)
        raise InputError(f"`split` {name} is {word!r} in {row} of {path}: it must be train, val or test, or "
                         "0, 1 or 2 for these")  # fmt: skip
    parts = words.str.lower().map(PART_NAMES).to_numpy()
    given = {part: np.flatnonzero(parts == part) for part in ("train", "val", "test") if (parts == part).any()}
    if "train" not in given or len(given) == 1:
        raise InputError(f"`split` {name} of {path} says {', '.join(given)} only: it needs train, and test or val")
    return given
