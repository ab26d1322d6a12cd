"""The options of ``python -m autobalance.compare``. Imports no torch, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from autobalance.cli._option_values import names, number, positive, seed, seeds
from autobalance.cli._options import (
    GroupOptions,
    Parser,
    add_group_options,
    add_problem_options,
    add_run_options,
    add_work_options,
    adder,
    read_options,
    shown,
)
from autobalance.common import InputError

EXAMPLES = """\
a method is a fixed loss, for classes with any of these behind it:
  +drw      class-balanced weights, switched on late (deferred re-weighting): ce+drw, la+drw
  +csl      the cost-sensitive term of CSL (+csl-released: as its released code computes it): la+csl; csl is ce+csl
  +posthoc  logits adjusted after training; la-posthoc is short for ce+posthoc
  +crt      the classifier trained again, on class-balanced batches; crt is short for ce+crt
  +ssp      the body pre-trained to tell rotations of images apart: ldam-drw+ssp
  +subsample  as many samples of each class, or class in a group, as there are of the smallest: ce+subsample
  +jtt      just train twice: what a first, short training gets wrong counts more: ce+jtt

examples:
  python -m autobalance.compare --losses ce,la,ldam-drw --seeds 5
  python -m autobalance.compare --losses all --tune 20 --seeds 5 --workers 4 --out runs/digits
  python -m autobalance.compare --out runs/digits --resume
  python -m autobalance.compare --searched runs/x --losses ce,la,vs --tune 10
  python -m autobalance.compare --losses ce,la --include-search searches.yaml
  python -m autobalance.compare --data table.csv --task regression --target price --losses all --tune 10
  python -m autobalance.compare --config mine.yaml --out runs/cifar10
"""


@dataclass(frozen=True)
class CompareOptions(GroupOptions):
    """What the comparison was asked to do; see ``python -m autobalance.compare --help``."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"out", "yes", "workers", "cluster", "published", "published_recipe"})

    seeds: int = 5
    losses: tuple[str, ...] | None = None
    searched: str | None = None
    include_search: bool | str = False
    tune: int = 0
    tune_folds: int = 1
    tune_recipe: bool = False
    many: int = 100
    few: int = 20
    workers: int = 1
    cluster: str | None = None
    published: tuple[str, ...] | None = None
    published_recipe: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The methods that are asked for."""
        default = ("l1", "sqinv", "inv", "lds") if self.task == "regression" else ("ce", "la", "ldam-drw")
        return self.losses or default


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command; every default comes from `CompareOptions`."""
    parser = Parser(
        prog="python -m autobalance.compare",
        description="Trains every method on the same splits with the same recipe, tunes each on validation samples "
        "with the same number of trainings, tests it over several seeds, and writes the table.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = CompareOptions()
    option = adder(default)
    add_problem_options(parser, default, ("classification", "regression"))
    add_group_options(parser, default)

    methods = parser.add_argument_group("what is compared")
    option(methods, "losses", "methods, separated by commas; all: every fixed loss of the task (with groups, theirs "
           "too), la-posthoc, crt, ce+drw and csl-released; unset: ce,la,ldam-drw, for regression "
           "l1,sqinv,inv,lds", type=names, metavar="METHODS")  # fmt: skip
    option(methods, "searched", "one more row: the loss in this file, or in the directory of a run, with all that was "
           "found along with it (learning rate, weight decay, augmentation, feature smoothing); then a second one, "
           "searched-loss, has the loss alone", metavar="RUN")  # fmt: skip
    option(methods, "include-search", "one more row: autobalance's own search, within the budget of the other methods, "
           "but at least one search; with a file a row for each search in it: lines such as 'one-round: {rounds: 1}', "
           "the keywords of autobalance.search_loss by the name of the row", nargs="?", const=True,
           metavar="FILE.yaml")  # fmt: skip

    tuning = parser.add_argument_group("tuning, on validation samples only")
    option(tuning, "tune", "trainings for the trials of each method; the first trial has the papers' values; "
           "0: only the papers' values", type=_count, metavar="N")  # fmt: skip
    option(tuning, "tune-folds", "each trial trains this many times, and every training and validation sample judges "
           "it once; 1: it trains once, and the validation samples judge it", type=positive, metavar="K")  # fmt: skip
    option(tuning, "tune-recipe", "tune learning rate and weight decay too, for each method", action="store_true")

    table = parser.add_argument_group("the table")
    option(
        table,
        "many",
        "classes or bins with more training samples than this are many-shot",
        type=positive,
        metavar="COUNT",
    )
    option(table, "few", "classes or bins with fewer are few-shot", type=positive, metavar="COUNT")
    option(table, "published", "balanced errors (or balanced MAEs) to print beside ours, a column per file", type=names,
           metavar="FILES.yaml")  # fmt: skip

    option(table, "published-recipe", "a published recipe: every deviation from it is said at the start and noted "
           "under the table", metavar="FILE.yaml:NAME")  # fmt: skip

    run = parser.add_argument_group("the run")
    option(run, "seed", "of splits, tuning, weights and the order of samples", type=seed, metavar="S")
    option(run, "seeds", "trainings of each method that are tested, with seeds S, S+1, ...", type=seeds, metavar="N")
    add_work_options(run, default)
    add_run_options(run, default)
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[CompareOptions, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be.
    """
    options, resume = read_options(CompareOptions, make_parser(), arguments)
    if options.few > options.many:
        raise InputError(f"--few {options.few} is above --many {options.many}: no class would be medium-shot")
    if options.shots is not None:
        raise InputError(f"--shots {shown(options.shots)} has no effect here: give --many and --few")
    if options.tune_folds > 1 and options.tune < options.tune_folds:
        raise InputError(f"--tune-folds {options.tune_folds} needs --tune {options.tune_folds} or more: a trial trains "
                         "once for each fold")  # fmt: skip
    if options.cluster is not None and options.workers > 1:
        raise InputError(f"--workers {options.workers} has no effect with --cluster, whose workers are started there")
    if options.tune_recipe and not options.tune:
        raise InputError("--tune-recipe has no effect without --tune N, the trainings for the trials of each method")
    return options, resume


def _count(text: str) -> int:
    if number(text) != 0:
        return positive(text)
    return 0
