"""One worker in this process with its progress, or several processes and the progress of all."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from autobalance.cli._progress import Display
from autobalance.common import InputError
from experiments.command import Unfinished
from experiments.grid import Grid, open_grid
from experiments.options import CompareOptions
from experiments.storage import open_storage

#: Seconds between looks at how far the workers are, and between lines where there is no terminal.
LOOK, QUIET = 1.0, 5.0
#: How processes are started; CUDA allows no "fork".
START = "spawn"


def work_alone(grid: Grid, display: Display) -> dict[str, Any]:
    """Does the whole grid in this process.

    Returns:
        the result of every piece.
    """
    begin(grid, display)
    looked, done = 0.0, 0

    def show(text: str) -> None:
        nonlocal looked, done
        if (now := time.monotonic()) - looked > LOOK:
            looked, done = now, grid.trainings_done(grid.queue.results())
            display.step(done, text)

    results = grid.work(show)
    display.step(grid.trainings(), "all trained")
    return results


def work_together(grid: Grid, display: Display, number: int) -> dict[str, Any]:
    """Starts ``number`` processes that share the grid, and shows how far they are.

    Returns:
        the result of every piece.

    Raises:
        InputError: a worker met bad input.
        Unfinished: a worker died, and work is left.
    """
    context: Any = multiprocessing.get_context(START)
    messages: Queue[tuple[str, str]] = context.Queue()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // number)))
    grid.queue.add(grid.pieces())
    workers: list[BaseProcess] = [
        context.Process(target=_worker, args=(grid.options, grid.directory, messages), daemon=True)
        for _ in range(number)
    ]
    for worker in workers:
        worker.start()
    begin(grid, display)
    shown = f"{number} workers"
    try:
        while len(done := grid.queue.results()) < len(grid.pieces()):
            alive = any(worker.is_alive() for worker in workers)
            shown = _latest(messages) or shown
            if not alive:
                break
            display.step(grid.trainings_done(done), shown)
            time.sleep(LOOK)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()
    done = grid.queue.results()
    if left := [piece for piece in grid.pieces() if piece not in done]:
        raise Unfinished(f"the workers ended (exit status {[w.exitcode for w in workers]}) and {len(left)} of "
                           f"{len(grid.pieces())} pieces are left, {left[0]} first; --resume goes on")  # fmt: skip
    display.step(grid.trainings(), "all trained")
    return done


def _latest(messages: Queue[tuple[str, str]]) -> str:
    """The latest of what the workers said; "" if nothing.

    Raises:
        InputError: one of them met bad input.
    """
    text = ""
    while not messages.empty():
        kind, text = messages.get()
        if kind == "error":
            raise InputError(text)
    return text


def begin(grid: Grid, display: Display) -> None:
    """Says what will be done and how much of it is done already."""
    problem = grid.task.problem
    done, total = grid.trainings_done(grid.queue.results()), grid.trainings()
    joined = f"; {done} of them are done" if done else ""
    display.say(
        f"{problem.name}: {len(problem.train)} training, {len(problem.validation)} validation and {len(problem.test)} "
        f"test samples, {problem.num_classes} classes; model {grid.task.model_name}; {len(grid.methods)} methods, "
        f"{total} trainings{joined}"
    )
    display.phase("compare", total, done, quiet_for=QUIET)


def _worker(options: CompareOptions, directory: Path, messages: Queue[tuple[str, str]]) -> None:
    """What each process does."""
    last = 0.0

    def show(text: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last > LOOK:
            last = now
            messages.put(("show", text))

    try:
        open_grid(options, directory, open_storage(options.storage, directory)).work(show)
    except InputError as error:
        messages.put(("error", str(error)))
    except KeyboardInterrupt:
        return
