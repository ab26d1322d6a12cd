"""The directory of a run, which no other run shares: made exclusively, and locked while the run is alive."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autobalance.cli._options import RunOptions
from autobalance.common import InputError

#: Names the process that works in a directory, and is locked by it.
LOCK = "run.lock"


@contextmanager
def run_directory(options: RunOptions, resume: bool, prefix: str = "") -> Iterator[Path]:
    """Where a run is kept: ``--out``, or a new directory under runs/; of this process alone within the context.

    A directory that was made here and in which nothing began is removed again.

    Args:
        options: ``out`` and what a new directory is named after are read.
        resume: whether to continue the run in ``--out``.
        prefix: of the new directory's name.

    Raises:
        InputError: ``--out`` is empty, a file, or holds another run; another process works in it.
        OSError: the directory cannot be made or locked.
    """
    if options.out is None:
        directory, new = _new(prefix + options.subject), True
    else:
        directory, new = _given(options.out)
    try:
        with locked(directory):
            if not resume and (directory / "config.yaml").exists():
                raise InputError(
                    f"there is already a run in {directory}: add --resume to continue it, or give another --out"
                )
            yield directory
    finally:
        if new and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps other processes out of a directory by its file `LOCK`, which names this process and its host.

    The system lets go of the lock when the process ends, however it does, so that the file of a run that was killed
    keeps nobody out.

    Raises:
        InputError: another process holds it.
        OSError: the file cannot be written, or the file system has no locks.
    """
    path = directory / LOCK
    file = _hold(path)
    try:
        told = {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(file, 0)
        os.write(file, (json.dumps(told) + "\n").encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked: whoever waits for this very file looks again
        os.close(file)


def _hold(path: Path) -> int:
    """The lock file, open and locked."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                return file
        except BlockingIOError:
            holder = _holder(path)
            os.close(file)
            raise InputError(
                f"another run is at work in {path.parent}{holder}: wait for its end, or give another --out"
            ) from None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # its holder removed it just before it was locked here


def _holder(path: Path) -> str:
    """Who holds the lock, as far as its file says so."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f" (process {told['process']} on {told['host']}, since {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        return ""


def _given(out: str) -> tuple[Path, bool]:
    """``--out``, which exists from here on, and whether it was made here."""
    if not out:
        raise InputError("--out is empty; give a directory")
    if "\0" in out:
        raise InputError(f"--out {out!r} is no path: it holds a null character")
    directory = Path(out)
    if directory.is_file():
        raise InputError(f"--out {directory} is a file; give a directory")
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    return directory, new


def _new(stem: str) -> Path:
    """A directory under runs/ that nobody else made."""
    Path("runs").mkdir(exist_ok=True)
    for number in range(1, 100_000):
        directory = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return directory
    raise InputError("runs/ is full; give --out")
