"""Smaller versions of files: fewer rows, no classes of a few rows, fewer images. The same whatever the seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autobalance.common import InputError
from autobalance.data.sources import TABLE_SUFFIXES, read_arrays, read_table, target_column
from experiments.reduced import halved
from experiments.suite._plan import Entry

FEWEST_TEST_IMAGES = 200


def prepare(entry: Entry, directory: Path) -> Entry:
    """The entry with its data in a file in ``directory``, written where it is not there yet, or the entry as it is.

    Raises:
        InputError: the file is not of the kind that ``rows``, ``fewest`` or ``largest`` are for.
    """
    if not entry.prepared:
        return entry
    directory.mkdir(parents=True, exist_ok=True)
    source = Path(entry.data)
    images = entry.largest is not None
    if (images and source.suffix != ".npz") or not (images or source.name.endswith(TABLE_SUFFIXES)):
        raise InputError(f"{entry.name}: rows and fewest are for tables, largest for .npz files")
    path = directory / f"{entry.name}{'.npz' if images else '.csv'}"
    if not path.exists():
        unfinished = path.with_name("unfinished-" + path.name)
        (_images if images else _table)(entry, source, unfinished)
        unfinished.replace(path)
    return replace(entry, data=str(path), rows=None, fewest=None, largest=None, halved=False)


def _table(entry: Entry, source: Path, path: Path) -> None:
    frame = read_table(source)
    target = target_column(frame, entry.options.get("target"), source, "class")
    if entry.fewest is not None:
        counts = target.value_counts()
        frame = frame[target.map(counts) >= entry.fewest]
    if entry.rows is not None and len(frame) > entry.rows:
        frame = frame.sample(entry.rows, random_state=0)
    frame.to_csv(path, index=False)


def _images(entry: Entry, source: Path, path: Path) -> None:
    assert entry.largest is not None
    arrays = read_arrays(source)
    generator = np.random.default_rng(0)
    sizes = {"train": entry.largest, "test": max(FEWEST_TEST_IMAGES, entry.largest // 4)}
    kept: dict[str, Any] = {name: value for name, value in arrays.items() if name == "class_names"}
    for part, size in sizes.items():
        x, y = arrays.get(f"x_{part}"), arrays.get(f"y_{part}")
        if x is None or y is None:
            raise InputError(f"{source} has no arrays x_{part} and y_{part}")
        of_classes = [np.flatnonzero(y == k) for k in np.unique(y)]
        taken = np.sort(np.concatenate([generator.permutation(index)[:size] for index in of_classes]))
        kept |= {f"x_{part}": halved(x[taken]) if entry.halved else x[taken], f"y_{part}": y[taken]}
    np.savez(path, **kept)
