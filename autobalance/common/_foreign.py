"""Exceptions of code that is not this package's: a user's function, model or module."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autobalance.common._errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]


class ForeignError(InputError):
    """Code of the user's own failed; the exception that it raised is the cause."""


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Whatever the code of somebody else raises within it, sys.exit and a lack of memory included, is one line.

    Args:
        what: failed: the beginning of the message.

    Raises:
        ForeignError: names the exception, and the file and line that raised it.
    """
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise ForeignError(f"{what}: {described(error)}") from error


def described(error: BaseException) -> str:
    """An exception in one line: its kind, what it says, and the file and line of the user's that raised it."""
    said = " ".join(str(error).split())[:300]
    kind = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename or '?').name}, line {error.lineno})"
    frame = user_frame(error)
    return kind if frame is None else f"{kind} ({Path(frame.filename).name}, line {frame.lineno})"


def user_frame(error: BaseException, beside: Path | None = None) -> traceback.FrameSummary | None:
    """The innermost place of an exception's traceback that is neither this package's nor a library's.

    Args:
        error: the exception.
        beside: files of this directory are not the user's either.
    """
    places = traceback.extract_tb(error.__traceback__)
    return next((place for place in reversed(places) if _is_users(place.filename, beside)), None)


def _is_users(filename: str, beside: Path | None) -> bool:
    path = Path(filename)
    if not path.is_file():  # <string>, <frozen importlib._bootstrap>
        return False
    path = path.resolve()
    library = Path(inspect.getfile(inspect)).resolve().parent  # that of Python itself
    inside = [_PACKAGE, library, *([] if beside is None else [beside.resolve()])]
    return "site-packages" not in path.parts and not any(path.is_relative_to(each) for each in inside)


def check_arguments(what: str, function: Callable[..., Any], *given: object) -> None:
    """Refuses a function that cannot be called with these arguments.

    Raises:
        InputError: says which it needs.
    """
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        number = f"{len(given)} argument{'s' * (len(given) > 1)}" if given else "no arguments"
        raise InputError(f"{what} is called with {number}, but takes {inspect.signature(function)}: {error}") from None
    except ValueError:  # a function that does not tell
        return
