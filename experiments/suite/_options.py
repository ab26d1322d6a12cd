"""The options of the suite. Imports no torch, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from autobalance.cli import Parser, RunOptions, add_run_options, add_work_options, adder, positive, read_options

PLANS = Path(__file__).parent.parent / "plans"

EXAMPLES = """\
examples:
  python -m experiments.suite                                          the data that come with scikit-learn
  python -m experiments.suite --problems experiments/plans/suite.yaml --root ~/data --out runs/suite
  python -m experiments.suite --out runs/suite --resume                go on after an interruption
  python -m experiments.suite --methods ours --judge validation        how a search does, test samples unseen
"""


@dataclass(frozen=True)
class SuiteOptions(RunOptions):
    """What the suite was asked to do; see ``python -m experiments.suite --help``."""

    #: What changes no result of a single run: a suite can be resumed with others, and grows.
    PLACES: ClassVar[frozenset[str]] = frozenset(
        {"root", "only", "methods", "reference", "seeds", "workers", "cluster", "out"}
    )

    out: str = "runs/suite"
    problems: str = str(PLANS / "suite_builtin.yaml")
    root: str = "data"
    only: str | None = None
    budget: str = "small"
    judge: str = "test"
    methods: str = "untuned,tuned,rivals,published,ours"
    reference: str = "ours"
    seeds: int | None = None
    workers: int = 1
    cluster: str | None = None


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command; every default comes from `SuiteOptions`."""
    parser = Parser(
        prog="python -m experiments.suite",
        description="Compares the searched losses with fixed ones, untuned and tuned, and with other ways to search, "
        "over many problems and splits. Writes suite.md, suite.json and suite.svg to --out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = SuiteOptions()
    option = adder(default)
    data = parser.add_argument_group("problems")
    option(data, "problems", "the problems and the searches", metavar="FILE.yaml")
    option(data, "root", "where the files that it names are", metavar="DIR")
    option(data, "only", "only these problems, separated by commas", metavar="NAMES")

    what = parser.add_argument_group("what is compared")
    option(what, "budget", "small: 5 splits, the common losses tuned, small models; full: 10 splits, every loss tuned, "
           "each problem as its 'full' says", choices=("small", "full"))  # fmt: skip
    option(what, "methods", "untuned, tuned (with TPE and CMA-ES on w, l and delta), rivals (TPE on what ours may "
           "change), and searches: ours, published, and those of the problems' file", metavar="NAMES")  # fmt: skip
    option(what, "judge", "what the finished models are judged on; validation: a fifth of the other samples, the test "
           "samples stay unseen, for choosing a search's defaults", choices=("test", "validation"))  # fmt: skip
    option(what, "reference", "the method that all others are tested against", metavar="NAME")

    run = parser.add_argument_group("the run")
    option(run, "seeds", "splits of each problem; unset: the budget's", type=positive, metavar="N")
    add_work_options(run, default)
    add_run_options(run, default)
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[SuiteOptions, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be, or a resumption of other work.
    """
    return read_options(SuiteOptions, make_parser(), arguments)
