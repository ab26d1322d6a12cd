"""The options of ``python -m experiments.fairness``. Imports no torch, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from autobalance.cli import (
    GroupOptions,
    Parser,
    add_group_options,
    add_problem_options,
    add_run_options,
    adder,
    names,
    number,
    positive,
    positive_float,
    read_options,
    seed,
)
from autobalance.common import InputError

EXAMPLES = """\
examples:
  python -m experiments.fairness --data digits-groups --model mlp --out runs/fair
  python -m experiments.fairness --data adult.csv --target income --group sex --epochs 20 --out runs/adult
  python -m experiments.fairness --out runs/adult --resume
"""


@dataclass(frozen=True)
class FairnessOptions(GroupOptions):
    """What the comparison was asked to do; see ``python -m experiments.fairness --help``."""

    seeds: int = 5
    blends: str = "0,0.25,0.5,0.75,1"
    accuracy: str = "balanced_error"
    fairness: str = "deo"
    baselines: tuple[str, ...] = ("ce", "la", "group-weighted", "group-la", "group-vs", "group-dro")
    tune: bool = False
    start: str = "group-la"
    free: tuple[str, ...] = ("w", "l", "delta")
    tie: str = "frequency"
    every: int | None = None
    outer_lr: float = 0.05

    @property
    def shares(self) -> list[float]:
        """``blends`` as numbers: the share of the fairness objective."""
        return [float(text) for text in self.blends.split(",")]

    def objective(self, share: float) -> str:
        """The objective whose share of fairness is ``share``."""
        parts = {self.accuracy: 1 - share, self.fairness: share}
        return " + ".join(f"{weight:g}*{name}" for name, weight in parts.items() if weight > 0)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command; every default comes from `FairnessOptions`."""
    parser = Parser(
        prog="python -m experiments.fairness",
        description="Searches a loss for each blend of an accuracy and a fairness objective, trains with these and "
        "with fixed losses over several seeds, each with splits of its own, and writes a table and the trade-off.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = FairnessOptions()
    option = adder(default)
    add_problem_options(parser, default)
    add_group_options(parser, default)

    what = parser.add_argument_group("what is compared")
    option(what, "blends", "shares of the fairness objective, from 0 to 1", type=_shares, metavar="SHARES")
    option(what, "accuracy", "the objective at share 0", metavar="NAME")
    option(what, "fairness", "the objective at share 1", metavar="NAME")
    option(what, "baselines", "fixed losses", type=names, metavar="LOSSES")
    option(what, "tune", "choose the fixed losses' hyper-parameters on validation samples, by half and half of both "
           "objectives, from three trials each", action="store_true")  # fmt: skip
    option(what, "start", "the fixed loss that the searches start from", metavar="POINT")
    option(what, "free", "what is searched of the loss", type=names, metavar="NAMES")
    option(what, "tie", "frequency or class", choices=("frequency", "class"))
    option(what, "every", "training steps between hypergradients; unset: 20", type=positive, metavar="N")
    option(what, "outer-lr", "step of the loss's parameters", type=positive_float, metavar="RATE")

    run = parser.add_argument_group("the run")
    option(run, "seed", "of splits, weights and order", type=seed, metavar="S")
    option(run, "seeds", "runs of everything, with seeds S, S+1, ...", type=positive, metavar="N")
    add_run_options(run, default)
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[FairnessOptions, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be.
    """
    options, resume = read_options(FairnessOptions, make_parser(), arguments)
    if options.accuracy == options.fairness:
        raise InputError(f"--accuracy and --fairness are both {options.accuracy}: there is nothing to blend")
    return options, resume


def _shares(text: str) -> str:
    values = [number(part) for part in text.split(",")]
    if wrong := [value for value in values if not 0 <= value <= 1]:
        raise argparse.ArgumentTypeError(f"{wrong[0]:g} is no share: give numbers from 0 to 1")
    return ",".join(f"{value:g}" for value in dict.fromkeys(values))
