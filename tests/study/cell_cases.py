"""Cells for the tests of executors, which send them to other processes by the names of these functions."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobalance.common import InputError
from autobalance.study import Cell, Desk


@dataclass(frozen=True)
class Noted:
    """Adds up the numbers of what it needs and its own; notes in a folder who does it, again and again."""

    number: int
    folder: str
    seconds: float = 0.0

    def __call__(self, desk: Desk) -> dict[str, Any]:
        with (Path(self.folder) / f"{self.number}-{os.getpid()}").open("a") as file:
            file.write("begun\n")
        desk.tell(0.5, f"number {self.number}")
        desk.keep({"half of": self.number})
        time.sleep(self.seconds)
        return {"sum": self.number + sum(its["sum"] for its in desk.inputs.values())}


@dataclass(frozen=True)
class Dies:
    """Ends the process that does it first."""

    folder: str

    def __call__(self, desk: Desk) -> dict[str, Any]:
        mark = Path(self.folder) / "died"
        if not mark.exists():
            mark.touch()
            os._exit(3)
        return {"sum": 100}


def dies_always(desk: Desk) -> dict[str, Any]:
    os._exit(3)


def refuses(desk: Desk) -> dict[str, Any]:
    raise InputError("no such colour")


def fails(desk: Desk) -> dict[str, Any]:
    raise RuntimeError("shapes")


def numbers(folder: Path, number: int, seconds: float = 0.0) -> list[Cell]:
    """``number`` cells, and one that needs all of them."""
    folder.mkdir(exist_ok=True)
    cells = [Cell(f"part/{i}", Noted(i, str(folder), seconds), {"i": i}) for i in range(number)]
    return [Cell("whole", Noted(number, str(folder)), {"all": number}, tuple(c.key for c in cells)), *cells]


def expected(number: int) -> dict[str, Any]:
    parts = {f"part/{i}": {"sum": i} for i in range(number)}
    return {"whole": {"sum": sum(range(number + 1))}, **parts}
