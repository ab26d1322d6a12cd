"""How long a run will take: where that is absurd, a question before it starts."""

from __future__ import annotations

import sys
import time

import torch

from autobalance.common import InputError
from autobalance.tasks import task_of
from autobalance.training import Arm, Recipe, Setting

#: A run of fewer training steps is not timed before it starts: it ends, unless a step takes seconds.
FEWEST = 100_000
#: Steps that are timed, after a first one that sets up whatever is set up once.
TIMED = 3
#: A run that takes longer, in hours, is asked about: a week.
LONG = 7 * 24.0


def confirm_length(setting: Setting, recipe: Recipe, trainings: float, yes: bool) -> None:
    """Asks before a run that would take more than a week.

    Args:
        setting: the samples and the model.
        recipe: of each training.
        trainings: how many whole trainings the run costs.
        yes: whether the answer is known already.

    Raises:
        InputError: the answer is no, or nobody is there to answer.
    """
    steps = trainings * recipe.epochs * recipe.steps_per_epoch(len(setting.problem.train))
    if yes or steps < FEWEST:
        return
    seconds = seconds_a_step(setting, recipe)
    if (hours := steps * seconds / 3600) <= LONG:
        return
    said = (
        f"this run would take about {duration(hours)}: {steps:.3g} training steps, of which {TIMED} took "
        f"{1000 * seconds:.3g} ms each"
    )
    advice = "give fewer epochs or seeds, a larger batch_size, or --yes to start it all the same"
    if not sys.stdin.isatty():
        raise InputError(f"{said}; {advice}")
    print(f"{said}. Start it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"not started, for {said}; {advice}")


def seconds_a_step(setting: Setting, recipe: Recipe) -> float:
    """The time of a plain training step, the mean of `TIMED`."""
    problem, task = setting.problem, task_of(setting.problem)
    loss = task.fixed_loss(task.defaults.baselines[0], task.counts(problem.train))
    short = Recipe(epochs=1, batch_size=recipe.batch_size, lr=1e-9, warmup_epochs=0, augment=recipe.augment,
                   precision=recipe.precision)  # fmt: skip
    arm = Arm(loss=loss, name="timed", recipe=short)
    for steps in (1, TIMED):
        samples = problem.train.subset(torch.arange(min(len(problem.train), steps * recipe.batch_size)))
        begin = time.perf_counter()
        arm.train(setting, samples, 0)
        seconds = time.perf_counter() - begin
    return seconds / recipe.steps_per_epoch(len(samples))


def duration(hours: float) -> str:
    """A time of at least a week, for people."""
    days = hours / 24
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.3g} years"
