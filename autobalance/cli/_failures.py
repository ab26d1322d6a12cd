"""Exceptions that are no fault of this package, in one line: code of the user's own, and a lack of memory."""

from __future__ import annotations

import contextlib
import errno
import traceback
from pathlib import Path

from autobalance.common import ForeignError, InputError, described, user_frame

#: Holds the traceback, in the run's directory.
LOG = "error.log"
#: How torch words a lack of memory, on CPUs and on GPUs.
_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def explained(error: BaseException, directory: Path | None, beside: Path | None = None) -> str | None:
    """What to say about an exception; None for one that would be this package's own fault, or the system's.

    The traceback of an exception of the user's code goes to `LOG`.

    Args:
        error: what was raised.
        directory: of the run; None: it has not begun.
        beside: the directory of the command, whose files are not the user's.
    """
    if isinstance(error, InputError):
        return f"{error}{_logged(error, directory) if isinstance(error, ForeignError) else ''}"
    if directory is None:  # nothing of anybody else has run yet
        return None
    if lacks_memory(error):
        during = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
        return (
            f"out of memory{during}: a smaller `batch_size`, a smaller model or image size, fewer `folds` or rows need "
            "less; all files written before are intact"
        )
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC  # whoever wrote
    if user_frame(error, beside) is not None and not full:
        return f"{described(error)}{_logged(error, directory)}"
    return None


def lacks_memory(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in said for word in _MEMORY))


def _logged(error: BaseException, directory: Path | None) -> str:
    """Writes the traceback to the run's directory, and says so."""
    if directory is None:
        return ""
    with contextlib.suppress(OSError):  # a full disk must not hide what happened
        log = directory / LOG
        directory.mkdir(exist_ok=True)  # it was removed where nothing had begun
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return f"; the traceback is in {log}"
    return ""
