"""The options of the suite. Imports no torch, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from autobalance._options import Parser, positive
from autobalance.errors import InputError

PLANS = Path(__file__).parent.parent / "plans"

EXAMPLES = """\
examples:
  python -m experiments.suite                                          the data that come with scikit-learn
  python -m experiments.suite --problems experiments/plans/suite.yaml --root ~/data --out runs/suite
  python -m experiments.suite --out runs/suite --resume                go on after an interruption
  python -m experiments.suite --methods ours --judge validation        how a search does, test samples unseen
"""


@dataclass(frozen=True)
class SuiteOptions:
    """What the suite was asked to do; see ``python -m experiments.suite --help``."""

    problems: str = str(PLANS / "suite_builtin.yaml")
    root: str = "data"
    only: str | None = None
    budget: str = "small"
    judge: str = "test"
    methods: str = "untuned,tuned,published,ours"
    reference: str = "ours"
    seeds: int | None = None
    workers: int = 1
    out: str = "runs/suite"

    #: What changes no result of a single run: a suite can be resumed with others, and grows.
    FREE = ("root", "only", "methods", "reference", "seeds", "workers", "out")

    def identity(self) -> dict[str, object]:
        """The options that decide what a run's result is."""
        return {name: value for name, value in asdict(self).items() if name not in self.FREE}


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command; every default comes from `SuiteOptions`."""
    parser = Parser(
        prog="python -m experiments.suite",
        description="Compares the searched losses with fixed ones, untuned and tuned, and with other ways to search, "
        "over many problems and splits. Writes suite.md, suite.json and suite.svg to --out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    default = SuiteOptions()
    data = parser.add_argument_group("problems")
    data.add_argument("--problems", default=default.problems, metavar="FILE.yaml",
                      help="the problems and the searches; unset: those that need no files")  # fmt: skip
    data.add_argument("--root", default=default.root, metavar="DIR",
                      help=f"where the files that it names are (default: {default.root})")  # fmt: skip
    data.add_argument("--only", metavar="NAMES", help="these problems alone, with commas between")
    what = parser.add_argument_group("what is compared")
    what.add_argument("--budget", choices=("small", "full"), default=default.budget,
                      help="small: 5 splits, the common losses tuned, small models; full: 10 splits, every loss tuned, "
                      "each problem as its 'full' says (default: small)")  # fmt: skip
    what.add_argument("--methods", default=default.methods, metavar="NAMES",
                      help="untuned, tuned (with TPE and CMA-ES on the search's own parameters), and names of searches "
                      f"in the problems' file (default: {default.methods})")  # fmt: skip
    what.add_argument("--judge", choices=("test", "validation"), default=default.judge,
                      help="what the finished models are judged on; validation: a fifth of the other samples, the test "
                      "samples stay unseen, for choosing a search's defaults (default: test)")  # fmt: skip
    what.add_argument("--reference", default=default.reference, metavar="NAME",
                      help=f"the method that all others are tested against (default: {default.reference})")  # fmt: skip
    run = parser.add_argument_group("the run")
    run.add_argument("--seeds", type=positive, metavar="N", help="splits of each problem; unset: the budget's")
    run.add_argument("--workers", type=positive, default=default.workers, metavar="N",
                     help=f"processes that share the work (default: {default.workers})")  # fmt: skip
    run.add_argument("--out", default=default.out, metavar="DIR",
                     help=f"directory for the results (default: {default.out})")  # fmt: skip
    run.add_argument("--resume", action="store_true", help="keep what is finished in --out and do the rest")
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[SuiteOptions, bool]:
    """Options from a command line, and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be, or a resumption of other work.
    """
    import yaml

    given = vars(make_parser().parse_args(arguments))
    resume = given.pop("resume")
    options = SuiteOptions(**given)
    kept = Path(options.out) / "config.yaml"
    if resume and not kept.is_file():
        raise InputError(f"there is no suite to resume in {options.out}: {kept} is missing")
    if not resume and kept.exists():
        raise InputError(f"there is a suite in {options.out} already: add --resume to go on, or give another --out")
    if resume:
        before = yaml.safe_load(kept.read_text(encoding="utf-8"))
        for name, value in options.identity().items():
            if before.get(name) != value:
                raise InputError(f"the suite in {options.out} has --{name} {before.get(name)}, not {value}: "
                                 "give the same, or another --out")  # fmt: skip
    return options, resume
