"""Results of many cells in one small file, so that another machine can go on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autobalance.common import significant, write_text
from autobalance.study import Cell, Directory, Kept

#: Of a cell's result, what no page needs.
LEFT_OUT = ("counts", "about")
#: Of each number.
DIGITS = 7


def pack(store: Directory, work: Sequence[Cell], path: Path) -> None:
    """Writes the finished cells, a line each, with numbers of a few digits; lines of other cells stay."""
    known = _read(path)
    for cell in work:
        if (result := store.read(cell, print).result) is not None:
            known[cell.key] = cell.plan, _short(result)
    lines = [json.dumps([key, *known[key]], separators=(",", ":")) for key in sorted(known)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))


def unpack(path: Path, store: Directory, work: Sequence[Cell]) -> int:
    """Gives a directory the cells that it lacks and that were done by the same plan; returns how many."""
    known = _read(path)
    given = 0
    for cell in work:
        plan, result = known.get(cell.key, (None, None))
        if plan == cell.plan and store.read(cell, print).result is None:
            store.write(cell, Kept(result))
            given += 1
    return given


def _read(path: Path) -> dict[str, tuple[str, Any]]:
    """By key the plan and the result of each cell in a file; none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {key: (plan, result) for key, plan, result in map(json.loads, lines)}


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _short(each) for name, each in value.items() if name not in LEFT_OUT}
    return float(significant(value, DIGITS)) if isinstance(value, float) else value
