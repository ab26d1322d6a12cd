"""A cell: the smallest piece of a study, done once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A cell's result: plain JSON values.
Result = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """What the work of a cell is given.

    Args:
        key: of the cell.
        inputs: the results of the cells that it needs, by key.
        kept: what an interrupted try has kept last; None: nothing.
        keep: keeps plain JSON values, from which a later try can go on.
        tell: ``tell(done, text)``: so much of the cell's weight is done, and what is being done, for people.
    """

    key: str = ""
    inputs: Mapping[str, Result] = field(default_factory=dict)
    kept: Any = None
    keep: Callable[[Any], None] = lambda kept: None
    tell: Callable[[float, str], None] = lambda done, text: None


#: What is done for a cell. It may be done in another process or on another machine: functions of modules and frozen
#: records of plain values can be sent there, a lambda cannot.
Work = Callable[[Desk], Result]


@dataclass(frozen=True)
class Cell:
    """A piece of work with a result of its own.

    Args:
        key: its name, and that of its file: ``runs/la-0``.
        work: does it.
        decides: plain JSON values: all that decides the result, but for the code.
        needs: keys of the cells that have to be done before.
        weight: how long it takes, beside the others: trainings or epochs.
    """

    key: str
    work: Work
    decides: Any
    needs: tuple[str, ...] = ()
    weight: int = 1

    @property
    def plan(self) -> str:
        """A digest of what decides the result."""
        text = json.dumps(self.decides, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
