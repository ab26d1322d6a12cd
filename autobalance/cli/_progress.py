"""What the user sees while a command runs: on a terminal a bar with the time left, elsewhere plain lines."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console


class Display:
    """Shows phases of known length, one after the other.

    On a terminal each phase is a bar with the time left and the latest figures; elsewhere it is a line per step, or for
    phases of short steps a line every few seconds.

    Args:
        console: where to write; standard error by default, so that standard output holds only the results.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console  # here, so that --help does not wait for it
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bars.add_task("", visible=False, figures="")
        self._name, self._total, self._begun, self._from, self._printed = "", 0, 0.0, 0, 0.0
        self._quiet_for = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        if value is not None and self._name:
            value.add_note(f"in the phase {self._name}")

    def phase(self, name: str, total: int, done: int = 0, quiet_for: float = 0.0) -> None:
        """Begins a phase of ``total`` steps of which ``done`` were done before.

        Args:
            quiet_for: seconds between lines where there is no terminal; 0: a line a step.
        """
        self._name, self._total, self._from, self._quiet_for = name, total, done, quiet_for
        self._begun = self._printed = time.monotonic()
        self._task = self._bars.add_task(name, total=total, completed=done, figures="")

    def step(self, done: int, figures: str, name: str | None = None) -> None:
        """Reports that ``done`` steps of the phase are done, with figures of the latest one."""
        self._name = name or self._name
        self._bars.update(self._task, description=self._name, completed=done, figures=figures)
        now = time.monotonic()
        if self.console.is_terminal or (now - self._printed < self._quiet_for and done < self._total):
            return
        self._printed = now
        left = (now - self._begun) / max(1, done - self._from) * (self._total - done)
        self.console.print(
            f"{self._name:<9} {done}/{self._total}  {figures}  {_clock(left)} left", highlight=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """A line of its own, above the bars."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
