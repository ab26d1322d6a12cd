"""Where the results of cells are kept: one JSON file a cell, replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autobalance.common import InputError, write_json
from autobalance.study._cell import Cell, Result


@dataclass(frozen=True)
class Kept:
    """What is known of a cell.

    Args:
        result: None: it is not finished.
        state: what an unfinished cell goes on from.
    """

    result: Result | None = None
    state: Any = None


class Store(Protocol):
    """Keeps what is known of cells."""

    def read(self, cell: Cell, say: Callable[[str], None]) -> Kept:
        """What is known of ``cell``; ``say`` is told what could not be read.

        Raises:
            InputError: what is kept was made by another plan.
        """

    def write(self, cell: Cell, kept: Kept) -> None:
        """Replaces what is known of ``cell``."""


@dataclass(frozen=True)
class Directory:
    """A directory of JSON files: ``{"plan": digest, "result": {...}}``, or "state" where a cell is not finished.

    Args:
        path: made where it is missing; the cell ``runs/la-0`` is kept in ``runs/la-0.json`` there.
    """

    path: Path

    def file(self, cell: Cell) -> Path:
        return self.path / f"{cell.key}.json"

    def read(self, cell: Cell, say: Callable[[str], None]) -> Kept:
        path = self.file(cell)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Kept()
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if not isinstance(content, dict) or "plan" not in content:
            say(f"{path} is torn or no result of a study: what it stands for is done again")
            return Kept()
        if content["plan"] != cell.plan:
            raise InputError(
                f"{path} was made with other settings or another plan: take another directory, or delete the file to "
                "have it done again"
            )
        return Kept(content.get("result"), content.get("state"))

    def write(self, cell: Cell, kept: Kept) -> None:
        known = {"state": kept.state} if kept.result is None else {"result": kept.result}
        write_json(self.file(cell), {"plan": cell.plan, **known})
