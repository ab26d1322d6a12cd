"""Several processes of one machine, each with a job at a time."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from autobalance.common import Unfinished
from autobalance.study._executor import Job, OnEvent, Take


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Job | None = None


@dataclass(frozen=True)
class Processes:
    """Processes that share the work. The job of one that dies is given to another.

    Each has its share of the cores, unless OMP_NUM_THREADS is set.

    Args:
        number: of processes.
        start: how they are started; CUDA does not allow ``fork``.
    """

    number: int
    start: str = "spawn"

    def run(self, take: Take, on_event: OnEvent) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self.number)))
        workers = [self._started() for _ in range(self.number)]
        lost: list[Job] = []
        dead: list[int | None] = []
        try:
            while True:
                for worker in workers:
                    if worker.job is None and (job := lost.pop() if lost else take()) is not None:
                        worker.job = job
                        _send(worker.connection, job)
                busy = [worker for worker in workers if worker.job is not None]
                if not busy and not lost:
                    return
                if not workers:
                    raise Unfinished(f"all workers have died (exit status {dead}) and work is left")
                ready = wait([worker.connection for worker in busy])
                for worker in [worker for worker in busy if worker.connection in ready]:
                    try:
                        said = worker.connection.recv()
                    except (EOFError, ConnectionResetError):
                        worker.process.join()
                        dead.append(worker.process.exitcode)
                        assert worker.job is not None
                        lost.append(worker.job)
                        workers.remove(worker)
                        continue
                    if isinstance(said, BaseException):
                        raise said
                    if said.kind == "done":
                        worker.job = None
                    on_event(said)
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join()
                worker.connection.close()

    def _started(self) -> _Worker:
        context: Any = multiprocessing.get_context(self.start)
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, ours), daemon=True)
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        return _Worker(process, ours)


def _send(connection: Connection, job: Job) -> None:
    try:
        connection.send(job)
    except (BrokenPipeError, ConnectionResetError):
        return  # it has died: reading from it says so


def _serve(connection: Connection, other: Connection) -> None:
    """What each process does: jobs, until the other end is closed or its process is gone."""
    other.close()
    try:
        while True:
            job: Job = connection.recv()
            try:
                job.run(connection.send)
            except (KeyboardInterrupt, BrokenPipeError):
                raise
            except BaseException as error:
                error.add_note(f"in a worker, with {job.key}:\n{traceback.format_exc()}")
                connection.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return
