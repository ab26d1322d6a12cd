"""Arrays in a .npz file of numpy."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._assemble import Found, assemble
from autobalance.data._options import DataOptions
from autobalance.data._parts import Given, check_given
from autobalance.data._problem import Problem
from autobalance.data._source import TAIL, Source

_PARTS = ("train", "val", "test")


def load_npz(source: str, options: DataOptions) -> Problem:
    """Read x_train, y_train, x_test, y_test and, where they are there, x_val, y_val, group_train, group_val,
    group_test, class_names and group_names. For a regression y holds numbers, and there are no groups and names.

    Nothing in the file is executed. Other arrays in it are ignored. With an imbalance the training samples are thinned
    out to a long tail in the order of their labels; validation samples of the file stay as they are.
    """
    path = Path(source)
    arrays = read_arrays(path)
    given: dict[str, Given] = {}
    for part in _PARTS:
        x, y, group = (arrays.get(f"{kind}_{part}") for kind in ("x", "y", "group"))
        if part == "val" and x is None and y is None and group is None:
            continue
        for kind, array in (("x", x), ("y", y)):
            if array is None:
                with np.load(path, allow_pickle=False) as file:
                    there = ", ".join(sorted(file.files)) or "nothing"
                raise InputError(f"{path} has no array {kind}_{part}; it holds {there}")
        assert x is not None and y is not None
        given[part] = (x, y, group)
    parts = check_given(given, options.regression)
    names, group_names = (
        None if options.regression or what not in arrays else arrays[what].tolist()
        for what in ("class_names", "group_names")
    )
    if group_names is not None and parts["train"].group is None:
        raise InputError(f"{path} has group_names but no groups: add group_train and group_test")
    found = Found(path.stem, parts["train"], parts["test"], parts.get("val"), names, group_names)
    return assemble(found, options)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that `load_npz` knows among those in the file.

    Raises:
        InputError: there is no such file, it is damaged, holds objects, or one array without a name.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    known = {f"{kind}_{part}" for kind in ("x", "y", "group") for part in _PARTS} | {"class_names", "group_names"}
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                return {name: file[name] for name in file.files if name in known}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read as .npz, it is damaged or holds objects: {error}") from error
    raise InputError(f"{path} holds one bare array: write it with numpy.savez, under names such as x_train")


NPZ = Source(
    "npz",
    "a .npz file",
    load_npz,
    TAIL,
    matches=lambda source, _: source.endswith(".npz") and not Path(source).is_dir(),
)
