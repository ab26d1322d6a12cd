"""A cluster: Dask's scheduler gives jobs to its workers, on any number of machines.

Why Dask and not Ray: what a study needs is a queue of independent jobs that outlives the death of a worker, with their
results brought back. Both have it. Dask's ``distributed`` is pure Python, thirteen small packages that go with the
versions pinned here, and a cluster is two commands (``dask scheduler``, ``dask worker``) that the schedulers of
computing centres are used to starting; Ray brings an object store, daemons and some 200 MB, of which nothing would be
used.

A worker runs what it is sent: keep a cluster inside a network that you trust.
"""

from __future__ import annotations

import json
import queue
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from autobalance.common import InputError, Unfinished
from autobalance.study._executor import Event, Job, OnEvent, Take

#: Seconds to wait for the scheduler, and for its first worker.
PATIENCE = 60.0
#: One job at a time in each worker: torch's random numbers belong to the whole process, whatever its threads.
_ALONE = threading.Lock()


@dataclass(frozen=True)
class Cluster:
    """Workers of a Dask cluster. The job of one that dies is given to another.

    Start a ``dask worker`` with one thread for each job that is to run at the same time, on machines that have the
    package and the data. Only this process writes the files of the study.

    Args:
        address: of the scheduler: ``tcp://host:8786``.
    """

    address: str

    def run(self, take: Take, on_event: OnEvent) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise InputError(f"`cluster` {self.address} needs Dask: pip install 'autobalance[cluster]'") from None
        happened: queue.Queue[Event] = queue.Queue()
        topic = f"autobalance-{uuid.uuid4().hex}"
        try:
            client = Client(self.address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"`cluster` {self.address} cannot be reached: {reason}") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError:
                raise InputError(f"`cluster` {self.address} has no worker: start dask worker {self.address}") from None
            client.subscribe_topic(topic, lambda event: happened.put(Event(*json.loads(event[1]))))
            running: dict[str, Any] = {}
            while True:
                while (job := take()) is not None:
                    running[job.key] = client.submit(_remote, job, topic, key=f"{topic}-{job.key}", pure=False)
                    running[job.key].add_done_callback(lambda _, key=job.key: happened.put(Event(key, "done", None)))
                if not running:
                    return
                event = happened.get()
                if event.kind == "done":
                    on_event(event._replace(content=_result(running.pop(event.key))))
                elif event.key in running:  # what is told may come after the end
                    on_event(event)


def _remote(job: Job, topic: str) -> dict[str, Any]:
    """Does a job in a worker."""
    from distributed import get_worker

    worker, done = get_worker(), {}

    def on_event(event: Event) -> None:
        if event.kind == "done":
            done.update(event.content)
        else:
            worker.log_event(topic, json.dumps(event))

    with _ALONE:
        job.run(on_event)
    return done


def _result(future: Any) -> dict[str, Any]:
    from distributed.scheduler import KilledWorker

    try:
        result: dict[str, Any] = future.result()
    except KilledWorker as error:
        raise Unfinished(f"workers of the cluster have died again and again: {error}") from None
    return result
