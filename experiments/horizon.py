"""Hypergradients by how far they look back, and what stands in for long ones: ``python -m experiments.horizon``.

On each problem a model is trained with the loss that a search starts from. The derivative of the validation objective
in w, l and Δ (along log n), in the logarithm of the learning rate and in that of the weight decay is taken through the
whole training, which counts in the end, and in ways that cost less: through the last T steps, again and again as in a
search, and averaged; through the last third of the training; through a training of half as many epochs; and through
the last layer alone, solved on the features of the trained model.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from autobalance.bilevel import (
    Interleaved,
    LossSpace,
    OuterLoop,
    RecipeSpace,
    SearchSpace,
    Trainee,
    WholeTrainings,
    run,
)
from autobalance.cli import Display, positive
from autobalance.data import Batch
from autobalance.hypergradients import Abilities, Engine, Head, Hypergradient, Inner, InnerState, Replay, inner_step
from autobalance.study.report import markdown_table
from autobalance.tasks.objectives import make_objective
from experiments.development import classifications, make_parser
from experiments.development import run as run_with
from experiments.suite._case import Case, open_case

NAMES = ("w", "l", "delta", "log_lr", "log_weight_decay")
WHOLE = "whole training"
OBJECTIVE = make_objective("balanced_error")


class Noted:
    """`Replay` of T steps, which keeps what it finds."""

    abilities: ClassVar[Abilities] = Replay.abilities

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.found: list[dict[str, Tensor]] = []

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        state, answer = Replay(self.steps)(inner, state, hyper, batches, outer_batch)
        self.found.append(answer.gradient)
        return state, answer


def through(case: Case, steps: int) -> dict[str, float]:
    """The mean hypergradient through ``steps`` steps after the warm-up; the searched numbers stay where they start."""
    engine = Noted(steps)
    run(Interleaved(engine, OuterLoop(every=steps, lr=1e-12)).of(_trainee(case), case.seed))
    return {name: torch.stack([gradient[name].sum() for gradient in engine.found]).mean().item() for name in NAMES}


def through_all(case: Case, epochs: float = 1.0) -> dict[str, float]:
    """The hypergradient through the whole of a training of a multiple of the epochs."""
    best = run(WholeTrainings().of(_trainee(case, epochs), case.seed)).best
    return {name: best.gradient[name].sum().item() for name in NAMES}


def through_last(case: Case, engine: Callable[[int], Engine], share: float) -> dict[str, float]:
    """The hypergradient of an engine of T steps through the last T, a share of the training; 0 in what it misses."""
    trainee, generator = _trainee(case), torch.Generator().manual_seed(case.seed)
    batches = [
        trainee.batch(index, generator) for _ in range(trainee.recipe.epochs) for index in trainee.orders(generator)
    ]
    steps = round(share * len(batches))
    problem, state, raw = trainee.problem(0.0), trainee.start, trainee.space.init()
    for batch in batches[:-steps]:
        state, _ = inner_step(problem, state, raw, batch)
    if engine is Head:
        raw = {name: value for name, value in raw.items() if name != "log_lr"}
    _, found = engine(steps)(problem, state, raw, batches[-steps:], trainee.validation_samples.all())
    return {name: found.gradient[name].sum().item() if name in found.gradient else 0.0 for name in NAMES}


def _trainee(case: Case, epochs: float = 1.0) -> Trainee:
    setting, task = case.conditions.setting, case.conditions.task
    recipe = replace(case.conditions.recipe, epochs=round(epochs * case.conditions.recipe.epochs))
    counts, part = task.counts(case.problem.train), case.problem
    loss = LossSpace(task.fixed_loss("la", counts), counts, ("w", "l", "delta"))
    space = SearchSpace(loss, RecipeSpace(recipe, ("lr", "weight_decay")))
    return Trainee(setting.new_model(case.seed), (part.train, part.validation), space, OBJECTIVE, task.watch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; returns the exit status."""
    parser = make_parser("horizon", __doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 20], metavar="T")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="splits of each problem")
    return run_with(parser, _compare, arguments)


def _compare(options: argparse.Namespace) -> None:
    cases = [
        open_case(entry, seed, "validation")[0] for entry in classifications(options) for seed in range(options.seeds)
    ]
    rows: list[dict[str, str]] = []
    with Display() as display:
        display.phase("problems", len(cases))
        found = []
        for number, case in enumerate(cases):
            found.append(_ways(case, options.steps))
            for name in NAMES:
                rows.append(
                    {"problem": case.name, "in": name, **{way: f"{its[name]:+.2e}" for way, its in found[-1].items()}}
                )
            display.step(number + 1, case.name)
    print(markdown_table(rows))
    print(f"\nsign of the whole training's, of {len(cases)}; and size beside it (median of the quotients)\n")
    print(markdown_table([_agreement(found, way) for way in found[0] if way != WHOLE]))


def _ways(case: Case, steps: Sequence[int]) -> dict[str, dict[str, float]]:
    return {
        **{f"T = {each}": through(case, each) for each in steps},
        "last third": through_last(case, Replay, 1 / 3),
        "half as long": through_all(case, 0.5),
        "last layer": through_last(case, Head, 1 / case.conditions.recipe.epochs),
        WHOLE: through_all(case),
    }


def _agreement(found: Sequence[Mapping[str, Mapping[str, float]]], way: str) -> dict[str, str]:
    line = {"way": way}
    for name in NAMES:
        pairs = [(its[way][name], its[WHOLE][name]) for its in found]
        if not any(short for short, _ in pairs):
            line[name] = ""
            continue
        agree = sum((short > 0) == (whole > 0) for short, whole in pairs)
        quotient = statistics.median(abs(short / whole) for short, whole in pairs if whole)
        line[name] = f"{agree} ({quotient:.2g})"
    return line


if __name__ == "__main__":
    sys.exit(main())
