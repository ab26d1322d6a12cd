"""The options of the search command: their names, defaults and help, and their YAML form. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from autobalance.cli._option_values import names, names_of, positive, positive_float, seed, seeds, several, share
from autobalance.cli._options import (
    GroupOptions,
    Parser,
    add_group_options,
    add_problem_options,
    add_run_options,
    adder,
    read_options,
)

# Named here a second time because the registries need torch, which --help must not wait for. A test compares them.
OBJECTIVES = (
    "balanced_error", "error", "worst_class", "macro_f1", "g_mean", "h_mean", "mcc", "kappa", "quadratic_kappa",
)  # fmt: skip
GROUP_OBJECTIVES = ("group_balanced_error", "worst_group", "deo", "equalised_odds", "demographic_parity")
OBJECTIVES_WITH_ARGUMENTS = (
    "f1(CLASS)", "fbeta(CLASS, BETA)", "recall(CLASS)", "precision(CLASS)", "specificity(CLASS)", "coverage(CLASS)",
    "cost(FILE.csv)",
)  # fmt: skip
REGRESSION_OBJECTIVES = ("balanced_mae", "mae", "mse", "gm", "worst_bin", "few_shot_mae")
STRATEGIES = ("auto", "prediction", "last-layer", "interleaved", "whole")
ENGINES = ("replay", "unrolled", "one-step", "implicit", "head")
TIES = ("frequency", "class")
AUGMENT_TIES = ("all", "frequency", "class")
GEOMETRY = ("shift", "rotation", "scale", "shear")
OPERATIONS = (*GEOMETRY, "brightness", "contrast", "saturation", "mix", "noise", "erasing", "masking")
TABLES = ("w", "l", "delta", "margin")
NUMBERS = ("scale", "gamma", "csl", "csl_reward", "csl_floor", "influence", "equalization")
FREE = (*TABLES, *NUMBERS)
RATES = ("lr", "weight_decay")
AUGMENT = "augment"
STRENGTH = "fds"

EXAMPLES = """\
examples:
  python -m autobalance.search                                    the embedded digits, a minute
  python -m autobalance.search --data table.csv --target label    a table
  python -m autobalance.search --data table.csv --target label --group sex --objective worst_group
  python -m autobalance.search --data diabetes --task regression  a number to predict
  python -m autobalance.search --data images.npz --model cnn --epochs 30 --out runs/images
  python -m autobalance.search --out runs/images --resume         go on after an interruption
  python -m autobalance.search --config runs/images/config.yaml --seed 1 --out runs/images-1
"""


@dataclass(frozen=True)
class Options(GroupOptions):
    """What the command was asked to do; see ``python -m autobalance.search --help``."""

    objective: str | None = None
    free: tuple[str, ...] | None = None
    tie: str | None = None
    start: str | None = None
    late: tuple[str, ...] | None = None
    late_start: float | None = None
    tie_augment: str | None = None
    operations: tuple[str, ...] | None = None
    hypergradient: str = "replay"
    unroll: int | None = None
    every: int | None = None
    outer_lr: float = 0.05
    warmup: float = 0.3
    rounds: int | None = None
    strategy: str | None = None
    budget: float | None = None
    folds: int | None = None
    candidates: tuple[str, ...] | None = None
    confidence: float | None = None
    baselines: tuple[str, ...] | None = None
    fds_layer: str | None = None
    tensorboard: bool = False

    PLACES: ClassVar[frozenset[str]] = frozenset({"out", "tensorboard"})


def tie_name(text: str) -> str:
    """A name of `TIES`, or ``cluster:C``."""
    if text not in TIES and not (text.startswith("cluster:") and text.removeprefix("cluster:").isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(TIES)} and cluster:C")
    return text


def make_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m autobalance.search``; every default comes from `Options`."""
    parser = Parser(
        prog="python -m autobalance.search",
        description="Searches a training loss for imbalanced data, retrains with it, and compares it with fixed losses "
        "on the test split. Writes loss.json, result.json, report.html and more to the --out directory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = Options()

    option = adder(default)
    add_problem_options(parser, default, ("classification", "regression"))
    add_group_options(parser, default)

    loss = parser.add_argument_group("the loss that is searched")
    option(
        loss,
        "objective",
        "what the search makes small on validation samples (of a score, one minus the score): "
        f"{', '.join((*OBJECTIVES, *OBJECTIVES_WITH_ARGUMENTS))}; with groups {', '.join(GROUP_OBJECTIVES)}; for "
        f"regression {', '.join(REGRESSION_OBJECTIVES)}; a sum such as '0.5*balanced_error + 0.5*deo'; with "
        "constraints, 'error subject to recall(CLASS)>=0.8 and worst_class<=0.5'; or your own function of (logits, "
        "target, group), or of (confusion), the confusion matrix, as package.module:function; unset: balanced_error, "
        "with groups group_balanced_error",
        metavar="NAME",
    )
    option(
        loss,
        "free",
        f"what is searched: any of {','.join(TABLES)} of the loss, numbers a class, its single numbers "
        f"{','.join(NUMBERS)} (the last five are of the terms that published losses have: a term that --start lacks is "
        f"added, absent at first), {','.join(RATES)} of the recipe, {AUGMENT} (how the training samples of each class "
        f"are augmented) and {STRENGTH} (the strength of --fds-layer); unset: w,l,delta, for regression w",
        type=names_of((*FREE, *RATES, AUGMENT, STRENGTH)),
        metavar="NAMES",
    )
    option(loss, "tie", "frequency: each parameter follows the class frequency; class: a number for each class; "
           "cluster:C: one for every C classes of about the same frequency; with groups, of each class in each group",
           type=tie_name, metavar="TIE")  # fmt: skip
    option(
        loss,
        "start",
        "the fixed loss to start from; unset: la, with groups group-la, for regression sqinv",
        metavar="LOSS",
    )
    option(loss, "late", "searched parameters that are switched on late in training, as LDAM-DRW's w",
           type=names_of(FREE), metavar="NAMES")  # fmt: skip
    option(
        loss,
        "late-start",
        "share of the epochs after which they are switched on; unset: 0.8",
        type=share,
        metavar="SHARE",
    )
    option(loss, "tie-augment", f"with {AUGMENT}: one policy for all classes, policies that follow the class "
           "frequency, or one for each class; unset: frequency", choices=AUGMENT_TIES)  # fmt: skip
    option(loss, "operations", f"with {AUGMENT}: what is done to samples, any of {','.join(OPERATIONS)}; unset: all "
           "that fit images or rows", type=names_of(OPERATIONS), metavar="NAMES")  # fmt: skip

    search = parser.add_argument_group("how it is searched")
    option(search, "strategy", "prediction: train folds once, and move l by the offsets that do best on what they held "
           "out; last-layer: move w and l by hypergradients through the last layer of two halves, in seconds; "
           "interleaved: hypergradients within one training; whole: through whole trainings; auto: prediction, "
           "then interleaved for all that is free besides l; unset: auto, with --rounds whole",
           choices=STRATEGIES)  # fmt: skip
    option(search, "budget", "what the search may cost, its choice included, in plain trainings; unset: 4",
           type=positive_float, metavar="TRAININGS")  # fmt: skip
    option(search, "hypergradient", "engine: replay and unrolled (the reference) are exact; one-step is the cheap case "
           "of a single step; implicit is the AutoBalance paper's; head solves the last layer",
           choices=ENGINES)  # fmt: skip
    option(search, "unroll", "training steps that a hypergradient looks back through; unset: 5, with implicit 10",
           type=positive, metavar="T")  # fmt: skip
    option(search, "every", "training steps between hypergradients; unset: 20, with one-step 4", type=positive,
           metavar="N")  # fmt: skip
    option(search, "outer-lr", "step of the loss's parameters", type=positive_float, metavar="RATE")
    option(search, "warmup", "share of the epochs before the first hypergradient", type=share, metavar="SHARE")
    option(search, "rounds", "search by R whole trainings instead, each differentiated through from its last step to "
           "its first; for trainings of up to a few thousand steps", type=positive, metavar="R")  # fmt: skip

    choice = parser.add_argument_group("which loss to use in the end")
    option(choice, "folds", "search on K cross-validation folds at once, so that every training sample validates once; "
           "unset: the search uses one validation split, and the choice 3 folds", type=several,
           metavar="K")  # fmt: skip
    option(choice, "candidates", "fixed losses that the searched one has to beat on held-out samples, besides the one "
           "that it started from; unset: only that one", type=names, metavar="LOSSES")  # fmt: skip
    option(choice, "confidence", "how sure it must be that it beats them; 0: the searched loss is taken as it is, "
           "without a choice; unset: 0.7 with prediction and auto, else 0.8", type=share, metavar="SHARE")  # fmt: skip

    run = parser.add_argument_group("the run")
    option(run, "seed", "of splits, weights and the order of samples", type=seed, metavar="S")
    option(run, "seeds", "trainings of each loss in the comparison, with seeds S, S+1, ...", type=seeds, metavar="N")
    option(run, "baselines", "fixed losses to compare with; unset: ce,la, with groups also group-weighted,group-la; "
           "for regression l1,sqinv,inv,lds",
           type=names, metavar="LOSSES")  # fmt: skip
    option(run, "fds-layer", "regression: smooth the features after this layer (FDS): input, last or a layer's name, "
           "such as body.2; with --free w,fds its strength is searched too", metavar="NAME")  # fmt: skip
    option(run, "tensorboard", "write scalars and histograms of the search and its choice to DIR/tensorboard; it needs "
           "the extra autobalance[tensorboard]", action="store_true")  # fmt: skip
    add_run_options(run, default)
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[Options, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be.
    """
    return read_options(Options, make_parser(), arguments)
