"""A study: cells are done in the order of what they need, kept, and never done twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from autobalance.common import Unfinished, tell
from autobalance.study._cell import Cell, Result
from autobalance.study._executor import Event, Executor, InProcess, Job
from autobalance.study._store import Kept, Store

#: Seconds between lines of progress where there is no terminal.
QUIET = 5.0


class Display(Protocol):
    """What a person sees of it."""

    def say(self, text: str) -> None:
        """A line of its own."""

    def phase(self, name: str, total: int, done: int = 0, quiet_for: float = 0.0) -> None:
        """Work of the weight ``total`` begins, of which ``done`` is done."""

    def step(self, done: int, figures: str) -> None:
        """So much is done, and what is being done."""


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        return

    def phase(self, name: str, total: int, done: int = 0, quiet_for: float = 0.0) -> None:
        return

    def step(self, done: int, figures: str) -> None:
        return


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    executor: Executor | None = None,
    display: Display | None = None,
    name: str = "study",
) -> dict[str, Result]:
    """Does all cells that are not done yet.

    Args:
        cells: in the order in which they are begun, but for what they need.
        store: where results are kept, such as `Directory`; what is finished there is not done again.
        executor: who does the work; None: this process.
        display: shows how far it is.
        name: of the phase that it shows.

    Returns:
        the result of every cell by key.

    Raises:
        InputError: a result in the store was made by another plan; or what a cell's work met.
        Unfinished: work is left that nobody does any more.
        ValueError: two cells have one key, or a cell needs one that there is not.
    """
    shown = display or Silent()
    known = {cell.key: cell for cell in cells}
    if len(known) < len(cells):
        raise ValueError(f"two cells have the key {next(c.key for c in cells if known[c.key] is not c)}")
    if missing := [need for cell in cells for need in cell.needs if need not in known]:
        raise ValueError(f"a cell needs {missing[0]}, which there is not")
    kept = {cell.key: store.read(cell, shown.say) for cell in cells}
    done: dict[str, Result] = {key: its.result for key, its in kept.items() if its.result is not None}
    waiting = [cell for cell in cells if cell.key not in done]
    under_way: dict[str, float] = {}
    total = sum(cell.weight for cell in cells)

    def finished() -> int:
        return round(sum(known[key].weight for key in done) + sum(under_way.values()))

    def take() -> Job | None:
        for cell in waiting:
            if all(need in done for need in cell.needs):
                waiting.remove(cell)
                return Job(cell.key, cell.work, {need: done[need] for need in cell.needs}, kept[cell.key].state)
        return None

    def told(event: Event, text: str) -> None:
        tell("study", {"cell": event.key, "event": event.kind, "done": finished(), "total": total, "text": text})

    def on_event(event: Event) -> None:
        cell = known[event.key]
        if event.kind == "told":
            part, text = event.content
            under_way[event.key] = min(part, cell.weight)
            shown.step(finished(), text)
            told(event, text)
        elif event.kind == "kept":
            store.write(cell, Kept(state=event.content))
        else:
            store.write(cell, Kept(event.content))
            done[event.key] = event.content
            if under_way.pop(event.key, 0) < cell.weight:  # else it was told already
                shown.step(finished(), f"{event.key} is done")
            told(event, "")

    shown.phase(name, total, finished(), quiet_for=QUIET)
    (executor or InProcess()).run(take, on_event)
    if waiting:
        raise Unfinished(f"{len(waiting)} of {len(cells)} cells are left, {waiting[0].key} first")
    return {cell.key: done[cell.key] for cell in cells}
