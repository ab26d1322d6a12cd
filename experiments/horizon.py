"""Hypergradients by how many steps they look back through: ``python -m experiments.horizon --root DIR``.

On each problem a model is trained with the loss that a search starts from. The derivative of the validation objective
in l (along log n), in the logarithm of the learning rate and in that of the weight decay is taken through the last T
steps, again and again as in a search, and averaged; and once through the whole training, which counts in the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
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
from autobalance.cli import Display
from autobalance.data import Batch
from autobalance.hypergradients import Abilities, Hypergradient, Inner, InnerState, Replay
from autobalance.study.report import markdown_table
from autobalance.tasks.objectives import make_objective
from experiments.development import classifications, make_parser
from experiments.development import run as run_with
from experiments.suite._case import Case, open_case

NAMES = ("l", "log_lr", "log_weight_decay")
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


def through_all(case: Case) -> dict[str, float]:
    """The hypergradient through the whole training."""
    best = run(WholeTrainings().of(_trainee(case), case.seed)).best
    return {name: best.gradient[name].sum().item() for name in NAMES}


def _trainee(case: Case) -> Trainee:
    setting, recipe, task = case.conditions.setting, case.conditions.recipe, case.conditions.task
    counts, part = task.counts(case.problem.train), case.problem
    loss = LossSpace(task.fixed_loss("la", counts), counts, ("l",))
    space = SearchSpace(loss, RecipeSpace(recipe, ("lr", "weight_decay")))
    return Trainee(setting.new_model(case.seed), (part.train, part.validation), space, OBJECTIVE, task.watch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("horizon", __doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 20], metavar="T")
    return run_with(parser, _compare, arguments)


def _compare(options: argparse.Namespace) -> None:
    cases = [open_case(entry, 0, "validation")[0] for entry in classifications(options)]
    rows: list[dict[str, str]] = []
    agree = {(steps, name): 0 for steps in options.steps for name in NAMES}
    with Display() as display:
        display.phase("problems", len(cases))
        for number, case in enumerate(cases):
            whole = through_all(case)
            short = {steps: through(case, steps) for steps in options.steps}
            for steps, name in agree:
                agree[steps, name] += (short[steps][name] > 0) == (whole[name] > 0)
            for name in NAMES:
                each = {f"T = {steps}": f"{short[steps][name]:+.2e}" for steps in options.steps}
                rows.append({"problem": case.name, "in": name, **each, "whole training": f"{whole[name]:+.2e}"})
            display.step(number + 1, case.name)
    print(markdown_table(rows))
    for (steps, name), number in agree.items():
        print(f"T = {steps}, {name}: the sign of the whole training's on {number} of {len(cases)} problems")


if __name__ == "__main__":
    sys.exit(main())
