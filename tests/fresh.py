"""Processes that find torch imported and nothing of the package: forked from a server that imported torch once."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "torch._dynamo"])  # the latter comes with the first optimiser of torch's


class Done(NamedTuple):
    """What a function returned, and what it wrote."""

    value: Any
    out: str
    err: str


def printed(code: str) -> str:
    """What a program prints."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        return pool.submit(_call, exec, code, {"__name__": "__main__"}).result().out


def under_torchrun(function: Callable[..., Any], *arguments: object) -> tuple[Done, Done]:
    """Calls ``function`` in two processes, through the launcher that the command ``torchrun`` is a shell of."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher import LaunchConfig, elastic_launch

    with TemporaryDirectory() as logs, own_signals():
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=2,
            run_id="test",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.1,
            start_method=CONTEXT.get_start_method(),
            logs_specs=DefaultLogsSpecs(logs),
        )
        done = elastic_launch(config, _call)(function, *arguments)
    return done[0], done[1]


@contextmanager
def own_signals() -> Iterator[None]:
    """Undoes what the launcher does to this process's signals."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _call(function: Callable[..., Any], *arguments: object) -> Done:
    import torch

    torch.set_num_threads(1)
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        value = function(*arguments)
    return Done(value, out.getvalue(), err.getvalue())
