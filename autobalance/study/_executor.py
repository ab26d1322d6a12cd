"""Who does the work of cells: this process, several, or a cluster. They tell of it in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from autobalance.study._cell import Desk, Result, Work


class Event(NamedTuple):
    """Something that happened to a job.

    Args:
        key: of its cell.
        kind: ``told``, with (done, text); ``kept``, with what was kept; ``done``, with the result.
        content: plain JSON values.
    """

    key: str
    kind: Literal["told", "kept", "done"]
    content: Any


OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Job:
    """A cell that is ready to be done, with all that its work is given. Can be sent to another process."""

    key: str
    work: Work
    inputs: Mapping[str, Result]
    state: Any = None

    def run(self, on_event: OnEvent) -> None:
        """Does the work, here; ends with the event ``done``."""

        def keep(state: Any) -> None:
            on_event(Event(self.key, "kept", state))

        def tell(done: float, text: str) -> None:
            on_event(Event(self.key, "told", (done, text)))

        on_event(Event(self.key, "done", self.work(Desk(self.key, self.inputs, self.state, keep, tell))))


#: Gives the next job that is ready; None: none is, until one of those that were given is done.
Take = Callable[[], Job | None]


class Executor(Protocol):
    """Does jobs."""

    def run(self, take: Take, on_event: OnEvent) -> None:
        """Takes jobs and does them, until there is none left.

        Args:
            take: asked again after each event ``done``, which may have made others ready.
            on_event: called in this process, by one thread.

        Raises:
            Unfinished: work is left that nobody can do.
            Exception: what a job raised.
        """


class InProcess:
    """Does one job after the other in this process."""

    def run(self, take: Take, on_event: OnEvent) -> None:
        while (job := take()) is not None:
            job.run(on_event)
