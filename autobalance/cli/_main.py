"""The command ``autobalance``: a word first, which of the commands is meant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from autobalance.common import InputError

DONE, BAD_INPUT = 0, 2

HELP = """\
usage: autobalance COMMAND [OPTIONS]

  search    search a loss for your data, train with it, and compare it with fixed losses
  compare   train and test losses, searched or fixed, under one protocol
  predict   predict with the model that a search has kept
  report    write the report of a run again: autobalance report DIR

autobalance COMMAND --help lists the options of a command; autobalance --version says which version this is.
"""


def _report(arguments: Sequence[str] | None = None) -> int:
    """Writes ``report.html`` of the runs in the directories that are given."""
    from autobalance.study.report import write_report

    given = list(arguments or ())
    if not given or given[0].startswith("-"):
        print("usage: autobalance report DIR [DIR ...]", file=sys.stderr if not given else sys.stdout)
        return DONE if given and given[0] in ("-h", "--help") else BAD_INPUT
    for directory in map(Path, given):
        try:
            print(write_report(directory))
        except FileNotFoundError as error:
            raise InputError(f"{directory} holds no finished run: there is no {error.filename}") from None
    return DONE


def _door(name: str) -> Callable[[Sequence[str]], int]:
    """A command in a module of this room, which is imported when it is meant."""
    return lambda arguments: import_module(f"autobalance.cli._{name}").main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    **{name: _door(name) for name in ("search", "compare", "predict")},
    "report": _report,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the first word names, with the rest as its options.

    Returns:
        its exit status; 2 where there is no such command.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    first = given[0] if given else ""
    if first in ("-h", "--help"):
        print(HELP, end="")
        return DONE
    if first == "--version":
        print(f"autobalance {version('autobalance')}")
        return DONE
    try:
        if first in COMMANDS:
            return COMMANDS[first](given[1:])
        close = get_close_matches(first, COMMANDS, 1)
        hint = f"; do you mean {close[0]}?" if close else "; did you leave out search?" if first[:2] == "--" else ""
        what = f"there is no command {first!r}" if first else "a command is missing"
        raise InputError(f"{what}{hint} There are {', '.join(COMMANDS)} (--help says what they do)")
    except InputError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return BAD_INPUT
