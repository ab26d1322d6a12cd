"""One run from data to report: search a loss, retrain with it and with fixed ones, look at the test split once."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from autobalance._augmented import AUGMENTED, augmentation_of, save_found
from autobalance._fds_file import Smoothing
from autobalance._task import Task, open_task, peak_memory_mb, recipe_of, versions
from autobalance.augmentation import Policy
from autobalance.bilevel import Bilevel, OuterLoop, SearchState, run
from autobalance.checkpoint import Checkpoint
from autobalance.config import AUGMENT, RATES, STRENGTH, Complete, Options
from autobalance.data import Problem, keep_or_check
from autobalance.errors import InputError
from autobalance.goals import Goal, goal_of
from autobalance.hypergradients import ENGINES, Engine, processes
from autobalance.losses import Loss, save_loss
from autobalance.losses._file import write_text
from autobalance.points import head_of
from autobalance.progress import Display
from autobalance.report import write_report
from autobalance.space import LATE_START, LossSpace
from autobalance.training import Recipe, WithFeatures, train

#: A checkpoint is written when this much time has passed since the last, and at the end of whatever ends the search.
CHECKPOINT_SECONDS = 2.0


#: Steps between hypergradients that look back through a single step, and so cost little.
ONE_STEP_EVERY = 4


@dataclass(frozen=True)
class Setup:
    """A problem with all that the options make of it."""

    options: Complete
    task: Task
    recipe: Recipe
    search: Bilevel
    goal: Goal
    counts: Tensor

    @property
    def problem(self) -> Problem:
        return self.task.problem


@dataclass(frozen=True)
class Found:
    """What a loss is trained with.

    Args:
        loss: the fixed loss that it is, or started from: its name chooses the head.
        recipe: how it is trained.
        policy: how its samples are augmented.
        strength: of feature-distribution smoothing where there is some; None: as published.
    """

    loss: str
    recipe: Recipe
    policy: Policy | None = None
    strength: float | None = None


def set_up(options: Options) -> Setup:
    """Loads the data and checks every option against it, before anything takes time.

    Raises:
        InputError: what is wrong and what helps.
    """
    task = open_task(options)
    problem, recipe = task.problem, recipe_of(options)
    options = options.completed(grouped=problem.num_groups > 0)
    goal = goal_of(problem, options.shot_thresholds)
    train_counts = goal.counts(problem.train)
    start = goal.point(options.start, train_counts)
    _check_smoothing(options, problem)
    model = _compared_model(options, task, options.seed, options.start)
    for baseline in options.baselines.split(","):
        _compared_model(options, task, options.seed, baseline)  # so that a part that is not there is said now
        if goal.point(baseline, train_counts).needs_features:
            WithFeatures(model)
    search = Bilevel(
        model,
        problem.train,
        problem.validation,
        _space(options, start, train_counts, problem.group_names),
        goal.objective(options.objective),
        _engine(options),
        recipe,
        _outer_loop(options),
        options.seed,
        [name for name in options.free.split(",") if name in RATES],
        augmentation_of(options, problem, train_counts),
        goal.watch,
        strength=STRENGTH in options.free.split(","),
    )
    if search.hypergradient_steps == 0:
        raise InputError(
            f"--epochs {options.epochs} leaves no room for a hypergradient: the search phase has fewer than "
            f"--every {search.outer.every} training steps; give more epochs, or smaller --every and --unroll"
        )
    return Setup(options, task, recipe, search, goal, goal.counts(problem.final_training))


def _compared_model(options: Options, task: Task, seed: int, loss: str, strength: float | None = None) -> nn.Module:
    """The model that the losses are searched and compared with: the task's, with `FDS` where it is asked for, as
    published or with the strength that was found."""
    model, problem = task.new_model(seed, head_of(loss)), task.problem
    smoothing = _smoothing(options, problem, strength)
    return model if smoothing is None else smoothing.calibrate(model, problem.train.first())


def _smoothing(options: Options, problem: Problem, strength: float | None) -> Smoothing | None:
    if options.fds_layer is None or problem.bin_edges is None:
        return None
    return Smoothing(options.fds_layer, problem.bin_edges, 1.0 if strength is None else strength)


def _check_smoothing(options: Options, problem: Problem) -> None:
    """Raises an InputError where --fds-layer or --free fds cannot be had."""
    if options.fds_layer is None:
        if STRENGTH in options.free.split(","):
            raise InputError(f"--free {STRENGTH} has no effect without --fds-layer, which says what is smoothed")
        return
    asked = f"--fds-layer {options.fds_layer}"
    if problem.bin_edges is None:
        raise InputError(f"{asked} has no effect without --task regression")
    if options.hypergradient != "replay":
        raise InputError(f"{asked} cannot be followed by {options.hypergradient}; use --hypergradient replay")
    if processes() > 1:
        raise InputError(f"{asked} collects its statistics in one process; leave torchrun out")
    if options.compiled:
        raise InputError(f"{asked} cannot go through --compiled; leave one of them out")


def _engine(options: Options) -> Engine:
    if processes() > 1 and options.hypergradient != "replay":
        raise InputError(f"--hypergradient {options.hypergradient} runs in one process; only replay runs in several")
    if options.hypergradient == "one-step" and options.unroll is not None:
        raise InputError(f"--unroll {options.unroll} has no effect: one-step looks back through one step")
    changed = [f"--precision {options.precision}"] if options.precision != "float32" else []
    changed += ["--compiled"] if options.compiled else []
    if changed and options.hypergradient in ("unrolled", "one-step"):
        raise InputError(
            f"{changed[0]} has no effect on the steps that {options.hypergradient} takes; use --hypergradient replay"
        )
    rest = ("weight_decay",)
    followed = {"unrolled": (), "implicit": rest, "head": rest}.get(options.hypergradient, RATES)
    if lost := [name for name in options.free.split(",") if name in RATES and name not in followed]:
        raise InputError(f"--free {lost[0]} cannot be followed by {options.hypergradient}; use --hypergradient replay")
    return ENGINES[options.hypergradient](*(() if options.unroll is None else (options.unroll,)))


def _outer_loop(options: Options) -> OuterLoop:
    every = options.every or (ONE_STEP_EVERY if options.hypergradient == "one-step" else OuterLoop.every)
    return OuterLoop(warmup=options.warmup, every=every, lr=options.outer_lr)


def _space(options: Options, start: Loss, counts: Tensor, group_names: Sequence[str] | None) -> LossSpace:
    if options.late_start is not None and options.late is None:
        raise InputError("--late-start has no effect without --late, which names what is switched on late")
    return LossSpace(
        start.to(options.device),
        counts.to(options.device),
        [name for name in options.free.split(",") if name not in (*RATES, AUGMENT, STRENGTH)],
        options.tie,
        options.late.split(",") if options.late else (),
        options.late_start if options.late_start is not None else LATE_START,
        group_names,
    )


def search_and_compare(options: Options, directory: Path, resume: bool, display: Display) -> dict[str, Any]:
    """The whole run. Everything it writes goes to ``directory``, which exists.

    Returns:
        what ``result.json`` holds.
    """
    setup = set_up(options)
    baselines = setup.options.baselines.split(",")
    kept = directory / "checkpoint.pt"
    progress = Checkpoint.load(kept) if resume and kept.exists() else Checkpoint()
    keep_or_check(setup.problem, directory / "data.json", resume)
    if not resume:
        write_text(directory / "config.yaml", options.to_yaml())
    problem, index = setup.problem, "classes" if setup.problem.bin_edges is None else "bins"
    index += f" in {problem.num_groups} groups" if problem.num_groups else ""
    display.say(
        f"{problem.name}: {len(problem.train)} training, {len(problem.validation)} validation and {len(problem.test)} "
        f"test samples, {problem.num_classes} {index} of {setup.counts.max()} to {setup.counts.min()} "
        f"samples; model {setup.task.model_name}"
    )
    state = _search(setup, progress, directory, display)
    loss = setup.search.space.loss(state.best)
    save_loss(loss.cpu(), directory / "loss.json", _provenance(setup, state))
    policy = setup.search.found_policy(state.best)
    if policy is not None:
        save_found(policy, problem, options.seed, directory, _provenance(setup, state))
    lines = [json.dumps(record, allow_nan=False) for record in progress.history]
    write_text(directory / "history.jsonl", "\n".join(lines) + "\n")

    losses: dict[str, Loss] = {"searched": loss}
    losses |= {name: setup.goal.point(name, setup.counts) for name in baselines}
    if policy is not None and "ce" in losses:  # what the augmentation does without the loss
        losses["ce" + AUGMENTED] = losses["ce"]
    best = state.best
    found = Found(setup.options.start, setup.search.found_recipe(best), policy, setup.search.found_strength(best))
    if (smoothing := _smoothing(options, problem, found.strength)) is not None:
        smoothing.save(directory / "fds.json")
    _retrain(setup, losses, found, progress, directory, display)
    result = _result(setup, state, list(losses), progress)
    write_text(directory / "result.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    write_report(directory)
    return result


def _search(setup: Setup, progress: Checkpoint, directory: Path, display: Display) -> SearchState:
    search, path = setup.search, directory / "checkpoint.pt"
    before, device = progress.search, setup.options.device
    state = search.init() if before is None else SearchState.from_dict(before, device)
    display.phase(search.phase(state.epoch), search.recipe.epochs, state.epoch)
    begun = saved = time.perf_counter()

    def on_epoch(now_at: SearchState, record: dict[str, Any]) -> None:
        nonlocal begun, saved, state
        now = time.perf_counter()
        progress.search_seconds += now - begun
        progress.history.append(record)
        state = now_at
        if now - saved > CHECKPOINT_SECONDS:
            progress.search = state.to_dict()
            progress.save(path)
            saved = time.perf_counter()
        display.step(
            state.epoch,
            f"validation objective {_figure(record['objective'])}  {setup.goal.progress(record)}",
            name=record["phase"],
        )
        begun = time.perf_counter()

    try:
        run(search, state, on_epoch)
    finally:  # an interruption keeps every finished epoch, wherever it falls
        del progress.history[state.epoch :]
        progress.search = state.to_dict()
        progress.save(path)
    if state.skipped:
        display.say(f"{state.skipped} steps were skipped because a loss or a hypergradient was not finite")
    if search.stopped_early(state):
        display.say("the search stopped early, with its last good loss, after several such steps in a row; lower --lr")
    return state


def _figure(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _retrain(
    setup: Setup,
    losses: dict[str, Loss],
    searched: Found,
    progress: Checkpoint,
    directory: Path,
    display: Display,
) -> None:
    """Trains every loss from scratch on training and validation samples, for every seed, and tests it once.

    The samples are augmented by the policy that was found for the searched loss, and for those whose name ends so.
    """
    options, problem = setup.options, setup.problem
    samples = problem.final_training
    seeds = range(options.seed, options.seed + options.seeds)
    grid = [(method, seed) for seed in seeds for method in losses]
    epochs = setup.recipe.epochs
    finished = sum(f"{method}/{seed}" in progress.trainings for method, seed in grid)
    display.phase("retrain", len(grid) * epochs, finished * epochs, quiet_for=5.0)
    for method, seed in grid:
        key = f"{method}/{seed}"
        if key in progress.trainings:
            continue
        policy = searched.policy if method.endswith(AUGMENTED) else None
        found = searched if method == "searched" else Found(method, setup.recipe, policy)
        model = _compared_model(options, setup.task, seed, found.loss, found.strength)
        begun = time.perf_counter()
        show = partial(_show_training, display, f"{method}, seed {seed}", finished * epochs)
        try:
            train(model, samples, losses[method].to(options.device), found.recipe, seed, show, found.policy)
        except FloatingPointError as error:
            raise InputError(f"training with {method}: {error} with --lr") from None
        seconds = time.perf_counter() - begun
        tested = setup.goal.test(model, problem.test, setup.counts)
        progress.trainings[key] = {**tested, "seconds": seconds}
        progress.save(directory / "checkpoint.pt")
        finished += 1


def _show_training(display: Display, what: str, done: int, epoch: int, loss: float) -> None:
    display.step(done + epoch, f"{what}  training loss {loss:.3f}")


def _result(setup: Setup, state: SearchState, methods: list[str], progress: Checkpoint) -> dict[str, Any]:
    options, problem = setup.options, setup.problem
    seeds = list(range(options.seed, options.seed + options.seeds))
    train_seconds = statistics.median(
        progress.trainings[f"{method}/{seed}"]["seconds"] for method in methods for seed in seeds
    )
    return {
        "data": problem.name,
        "task": options.task,
        "objective": options.objective,
        "model": setup.task.model_name,
        "seed": options.seed,
        "seeds": seeds,
        **setup.goal.facts(setup.counts),
        "num_train": len(problem.train),
        "num_validation": len(problem.validation),
        "num_test": len(problem.test),
        "test": {
            method: setup.goal.summary([progress.trainings[f"{method}/{seed}"] for seed in seeds]) for method in methods
        },
        "search": {
            **{name: getattr(options, name) for name in ("start", "tie", "hypergradient", "epochs")},
            "unroll": setup.search.engine.steps,
            "free": options.free.split(","),
            **({} if setup.search.augmentation is None else setup.search.augmentation.describe()),
            "rates": {name: getattr(setup.search.found_recipe(state.best), name) for name in setup.search.rates},
            "fds_layer": options.fds_layer,
            "fds_strength": setup.search.found_strength(state.best),
            "outer_steps": state.outer_steps,
            "skipped_steps": state.skipped,
            "stopped_early": setup.search.stopped_early(state),
        },
        "cost": {
            "search_seconds": progress.search_seconds,
            "train_seconds": train_seconds,
            "ratio": progress.search_seconds / train_seconds,
            "peak_memory_mb": peak_memory_mb(options.device),
        },
        "versions": versions(),
    }


def _provenance(setup: Setup, state: SearchState) -> dict[str, Any]:
    options, facts = setup.options, setup.goal.facts(setup.counts)
    return {
        "data": setup.problem.name,
        **{name: facts[name] for name in ("class_counts", "cell_counts") if name in facts},
        "model": setup.task.model_name,
        **{name: getattr(options, name) for name in ("objective", "start", "free", "tie", "hypergradient")},
        "unroll": setup.search.engine.steps,
        "recipe": asdict(setup.search.found_recipe(state.best)),
        "seed": options.seed,
        "versions": versions(),
    }
