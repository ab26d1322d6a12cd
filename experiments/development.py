"""What the scripts on development problems share: their options, and the problems."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from autobalance.cli import BAD_INPUT, DONE, as_flags
from autobalance.common import InputError
from experiments.suite._options import PLANS
from experiments.suite._plan import Entry, read_plan
from experiments.suite._prepare import prepare


def make_parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with the options on problems and files."""
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}", description=description.split(":")[0], allow_abbrev=False
    )
    parser.add_argument("--problems", default=str(PLANS / "development.yaml"), metavar="FILE.yaml")
    parser.add_argument("--root", default="data", metavar="DIR", help="where the files are that it names")
    parser.add_argument("--only", metavar="NAMES", help="only these problems, separated by commas")
    parser.add_argument("--out", default=f"runs/{name}", metavar="DIR", help="where prepared files are kept")
    return parser


def classifications(options: argparse.Namespace) -> list[Entry]:
    """The problems that are plain classifications, prepared.

    Raises:
        InputError: what is wrong with the plan or a file.
    """
    return _prepared(options, lambda entry: "task" not in entry.options and not has_groups(entry))


def regressions(options: argparse.Namespace) -> list[Entry]:
    """The problems that are regressions, prepared; raises as `classifications` does."""
    return _prepared(options, lambda entry: entry.options.get("task") == "regression")


def grouped(options: argparse.Namespace) -> list[Entry]:
    """The problems with groups, prepared; raises as `classifications` does."""
    return _prepared(options, has_groups)


def has_groups(entry: Entry) -> bool:
    """Whether the samples of a problem have groups."""
    return entry.data == "digits-groups" or bool({"group", "ground"} & set(entry.options))


def _prepared(options: argparse.Namespace, wanted: Callable[[Entry], bool]) -> list[Entry]:
    plan = read_plan(Path(options.problems), False, Path(options.root), options.only)
    return [prepare(entry, Path(options.out)) for entry in plan.problems if wanted(entry)]


def run(
    parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], None], arguments: Sequence[str] | None
) -> int:
    """Does the work with the options; returns the exit status, 2 after one line that says what is wrong with them."""
    options = parser.parse_args(arguments)
    try:
        work(options)
    except InputError as error:
        print(f"error: {as_flags(str(error), vars(options))}", file=sys.stderr)
        return BAD_INPUT
    return DONE
