"""How a command is stopped: Ctrl-C and SIGTERM let it keep what it has, a second of either ends it at once."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

#: Exit statuses of a command that was stopped: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what a cluster or a shutdown ends a process with."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it SIGTERM raises `Terminated` where Ctrl-C raises a KeyboardInterrupt.

    The first of either hands both back to the system, for the rest of the process: a second one ends it at once,
    without a traceback, also while the first is still being dealt with. Signals that are ignored stay so (``nohup``),
    and threads other than the main one cannot have handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    before = {each: handler for each, handler in known.items() if handler not in (None, signal.SIG_IGN)}
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    for each in before:
        signal.signal(each, stop)
    try:
        yield
    finally:
        if not stopped:
            for each, handler in before.items():
                signal.signal(each, handler)


def say_stopped(error: KeyboardInterrupt, program: str, directory: Path | None) -> int:
    """Says that a command was stopped, and how to go on.

    Args:
        error: what stopped it.
        program: ``python -m`` starts it by this name.
        directory: of the run; None: nothing began.

    Returns:
        the exit status.
    """
    terminated = isinstance(error, Terminated)
    out = "" if directory is None else shlex.quote(str(directory))
    place = f"; continue with: python -m {program} --out {out} --resume" if out else ""
    print(f"\n{'terminated' if terminated else 'interrupted'}{place}", file=sys.stderr)
    return TERMINATED if terminated else INTERRUPTED
