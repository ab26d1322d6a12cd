"""What every command does around its work: a directory for the results, exit statuses, one line for bad input."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from autobalance.cli._failures import explained
from autobalance.cli._options import AnyOptions, RunOptions, shown
from autobalance.cli._run_directory import run_directory
from autobalance.cli._stopping import say_stopped, stoppable
from autobalance.cli._words import as_flags
from autobalance.common import Unfinished

DONE, UNFINISHED, BAD_INPUT = 0, 1, 2


def run_command(
    program: str, read: Callable[[], tuple[AnyOptions, bool]], work: Callable[[AnyOptions, Path, bool], None]
) -> int:
    """Runs a command.

    Args:
        program: ``python -m`` starts it by this name.
        read: the options, and whether to resume.
        work: does everything in a directory, given the options, the directory and whether to resume. The directory
            exists, and no other process works in it.

    Returns:
        the exit status: 0 done; 1 unfinished; 2 bad input, after one line that says what is wrong; 130 or 143
        stopped by Ctrl-C or SIGTERM, and ``--resume`` continues.
    """
    directory: Path | None = None
    known: set[str] = set()
    try:
        options, resume = read()
        known = {field.name for field in fields(options)}
        with stoppable(), run_directory(options, resume, program.rpartition(".")[2] + "-") as directory:
            work(options, directory, resume)
    except Unfinished as error:
        return _fail(f"{error}; --resume continues it", UNFINISHED)
    except KeyboardInterrupt as error:
        return say_stopped(error, program, directory)
    except (Exception, SystemExit) as error:
        if (said := explained(error, directory, Path(inspect.getfile(work)).parent)) is not None:
            return _fail(as_flags(said, known), BAD_INPUT)
        if not isinstance(error, OSError):
            raise
        what = f"{error.strerror or error}: {error.filename or directory}; all files written before are intact"
        return _fail(what, BAD_INPUT)
    return DONE


def _fail(message: str, status: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return status


def command_line(program: str, options: RunOptions) -> str:
    """The command line that reproduces these results."""
    words, default = [f"python -m {program}"], type(options)().identity()
    for name, value in options.identity().items():
        if value != default[name]:
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(shown(value))}"))
    return " ".join(words)
