"""Choosing a method's hyper-parameters on validation samples, with a fixed number of trials."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import optuna
import torch
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from autobalance.data import stratified_folds
from autobalance.losses.named import Range
from autobalance.training import Recipe, Setting
from experiments.judge import train_and_judge
from experiments.methods import Job, Method
from experiments.ranges import RANGES, ranges_of
from experiments.yardsticks import Yardstick

#: Called with (trials done, epochs done of the present one, what is shown).
OnTrial = Callable[[int, int, str], None]


def search_space(method: Method, tune_recipe: bool) -> dict[str, Range]:
    """What is tuned of a method, by name. Empty where it has nothing to tune."""
    return {**ranges_of(list(method.parts)), **(RANGES["recipe"] if tune_recipe else {})}


def trial_cost(method: Method, folds: int) -> int:
    """What a trial costs, in trainings. A search has its own use for the validation split, and no folds."""
    return folds if method.prepare is None else method.trial_cost


def number_of_trials(method: Method, tune: int, tune_recipe: bool, folds: int) -> int:
    """How many trials a method gets of a budget of ``tune`` trainings. A search is a trial, so it has one at least."""
    if method.prepare is None and not (tune and search_space(method, tune_recipe)):
        return 0
    return max(1, tune // trial_cost(method, folds))


def without_test(task: Setting) -> Setting:
    """The task with an empty test split: what tuning is given."""
    nothing = task.problem.test.subset(torch.empty(0, dtype=torch.int64, device=task.problem.test.y.device))
    return replace(task, problem=replace(task.problem, test=nothing))


def tune(
    method: Method,
    task: Setting,
    recipe: Recipe,
    *,
    trials: int,
    tune_recipe: bool,
    folds: int,
    seed: int,
    storage: BaseStorage,
    name: str,
    yardstick: Yardstick,
    shots: tuple[int, int],
    on_trial: OnTrial,
) -> dict[str, Any]:
    """Trains with trial after trial on the training split and judges by the main figure on the validation split.

    With ``folds`` a trial trains once for each fold of both splits and is judged on what was held out.

    What a trial tries depends on the finished trials and the seed alone, so tuning that was killed and goes on ends as
    one that was not.

    Args:
        method: what is tuned.
        task: without test samples.
        recipe: the recipe of the first trial.
        trials: how many.
        tune_recipe: whether learning rate and weight decay are tuned too.
        folds: how many, 1 for the validation split; see `stratified_folds`.
        seed: of the trainings, of what is tried and of the folds.
        storage, name: where the trials are kept.
        yardstick, shots: what is measured, see `Yardstick.figures`.
        on_trial: told how far it is.

    Returns:
        ``hyper`` and ``recipe``, the best trial's values; ``trials``, a record of each; ``seconds``.
    """
    problem = task.problem
    parts = [(problem.train, problem.validation)]
    if folds > 1 and method.prepare is None:
        pool = problem.train.join(problem.validation)
        parts = [(pool.subset(rest), pool.subset(held)) for rest, held in stratified_folds(problem, folds, seed)]
    space = search_space(method, tune_recipe)
    default = {**method.defaults, "lr": recipe.lr, "weight_decay": recipe.weight_decay}
    ranges = {key: given.around(default[key]) for key, given in space.items()}
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    _forget_killed(study)
    while len(done := _finished(study)) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=_mixed(seed, method.name, len(done)), n_startup_trials=5)
        if not done and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            first = [ranges[key].as_trial(key, default[key]) for key in ranges]
            study.enqueue_trial({key: value for part in first for key, value in part.items()})
        trial = study.ask()
        begun = time.perf_counter()
        values = {key: given.suggest(trial, key) for key, given in ranges.items()}
        if not done:
            values = {key: default[key] for key in ranges}  # exactly, not as 1 - (1 - beta)
        rates: dict[str, Any] = {key: values.pop(key) for key in RANGES["recipe"] if key in values}
        tried = replace(recipe, **rates)
        hyper = {**method.defaults, **values}
        if method.prepare is not None:
            hyper |= method.prepare(task, tried, seed, hyper)

        def show(epoch: int, loss: float, done: int = len(done)) -> None:
            on_trial(done, epoch, f"{method.name}, trial {done + 1} of {trials}")

        jobs = [(Job(task, trained_on, tried, seed, hyper, show), held_out) for trained_on, held_out in parts]
        outcome = train_and_judge(method, jobs, yardstick, shots)
        trial.set_user_attr("hyper", hyper)
        trial.set_user_attr("recipe", rates)
        trial.set_user_attr("outcome", outcome.to_dict())
        trial.set_user_attr("seconds", time.perf_counter() - begun)
        study.tell(trial, yardstick.score(outcome.figures))
        on_trial(len(done) + 1, 0, f"{method.name}, trial {len(done) + 1} of {trials}")
    best = min(done, key=partial(_rank, yardstick))
    return {
        "hyper": best.user_attrs["hyper"],
        "recipe": best.user_attrs["recipe"],
        "seconds": sum(trial.user_attrs["seconds"] for trial in done),
        "trials": [_record(trial, yardstick) for trial in done],
        "tuned": list(space),
        "trainings": trials * trial_cost(method, folds),
        "recipe_of_first_trial": asdict(recipe),
    }


def _rank(yardstick: Yardstick, trial: FrozenTrial) -> tuple[float, float, int]:
    """The main figure, then the one that breaks ties, then the earlier trial."""
    outcome = trial.user_attrs["outcome"]
    return outcome[yardstick.main], outcome[yardstick.tie], trial.number


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: trial.number)


def _forget_killed(study: optuna.Study) -> None:
    """Fails the trials that were running when a worker died. One worker at a time tunes a method."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _record(trial: FrozenTrial, yardstick: Yardstick) -> dict[str, Any]:
    shown = {key: value for key, value in trial.user_attrs["hyper"].items() if key != "loss"}
    outcome = trial.user_attrs["outcome"]
    return {
        "hyper": shown,
        "recipe": trial.user_attrs["recipe"],
        **{f"validation_{key}": outcome[key] for key in (yardstick.main, yardstick.tie)},
        "diverged": outcome["diverged"],
        "seconds": trial.user_attrs["seconds"],
    }


def _mixed(seed: int, name: str, number: int) -> int:
    """A seed for the sampler's next proposal."""
    return zlib.crc32(f"{seed} {name} {number}".encode())
