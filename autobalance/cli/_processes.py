"""The processes that ``torchrun`` starts: all do the same work, each on its rows of a batch; only the first prints."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


def leads() -> bool:
    """Whether this is the first process, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Joins the other processes, where there are any, for as long as the context lasts.

    Args:
        device: ``cuda`` gives each process of a machine a GPU of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def aside(checkpoint: Path | None) -> Iterator[Path]:
    """A temporary directory for what a process that does not lead would write; what it prints is dropped.

    Args:
        checkpoint: the one to resume from, copied there with the one before it, if they exist.
    """
    with (
        tempfile.TemporaryDirectory() as place,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        for kept in () if checkpoint is None else checkpoint.parent.glob(f"{checkpoint.stem}*{checkpoint.suffix}"):
            shutil.copy(kept, place)
        yield Path(place)
