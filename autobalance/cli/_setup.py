"""What the options make of a problem: everything is checked here, before anything takes time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autobalance.bilevel import CHOICE_FOLDS, LATE_START, Bilevel, LossSpace, OuterLoop, make_search, member
from autobalance.cli._augmented import augmentation_of
from autobalance.cli._config import AUGMENT, RATES, STRENGTH, Complete, Options
from autobalance.cli._setting import open_setting, recipe_of
from autobalance.common import InputError
from autobalance.data import Fold, FoldedSamples, Problem, Samples, side_by_side, stratified_folds
from autobalance.hypergradients import ENGINES, Engine, make_engine
from autobalance.losses import Loss
from autobalance.losses.named import named_loss
from autobalance.models import Smoothing
from autobalance.tasks import Task, task_of
from autobalance.training import Recipe, Setting, WithFeatures


@dataclass(frozen=True)
class Setup:
    """A problem with all that the options make of it.

    Args:
        counts: samples of each class, bin or cell in the final training.
        splits: what the losses to choose among are trained and judged on, as positions in ``pool``.
    """

    options: Complete
    task: Setting
    recipe: Recipe
    search: Bilevel
    goal: Task
    counts: Tensor
    splits: list[Fold]

    @property
    def problem(self) -> Problem:
        return self.task.problem

    @property
    def pool(self) -> Samples:
        """Training samples, then validation samples."""
        return self.problem.train.join(self.problem.validation)

    @property
    def candidates(self) -> list[str]:
        """The fixed losses that the searched one has to beat, the one that it started from first."""
        asked = [] if self.options.candidates is None else self.options.candidates.split(",")
        return list(dict.fromkeys([self.options.start, *asked]))


def set_up(options: Options) -> Setup:
    """Loads the data and checks every option against it, before anything takes time.

    Raises:
        InputError: what is wrong and what helps.
    """
    task = open_setting(options)
    problem, recipe = task.problem, recipe_of(options)
    goal = task_of(problem, options.shot_thresholds)
    options = options.completed(goal.defaults)
    train_counts = goal.counts(problem.train)
    start = goal.fixed_loss(options.start, train_counts)
    _check_smoothing(options, problem)
    model = compared_model(options, task, options.seed, options.start)
    for name in [*options.baselines.split(","), *(options.candidates or options.start).split(",")]:
        compared_model(options, task, options.seed, name)  # so that a part that is not there is said now
        if goal.fixed_loss(name, train_counts).needs_features:
            WithFeatures(model)
    for name in [] if options.candidates is None else options.candidates.split(","):
        member(name, goal.fixed_loss(name, train_counts))
    splits = _splits(options, problem)
    train_samples, validation_samples = _searched_on(options, problem, splits)
    if options.folds is not None:
        train_counts = goal.counts(problem.train.join(problem.validation))
        start = goal.fixed_loss(options.start, train_counts)
    search = make_search(
        options.rounds,
        model,
        train_samples,
        validation_samples,
        _space(options, start, train_counts, problem.group_names),
        goal.objective(options.objective),
        engine=_engine(options),
        recipe=recipe,
        outer=_outer_loop(options),
        seed=options.seed,
        rates=[name for name in options.free.split(",") if name in RATES],
        augmentation=augmentation_of(options, problem, train_counts),
        watch=goal.watch,
        strength=STRENGTH in options.free.split(","),
    )
    if search.hypergradient_steps == 0:
        per_epoch, warmup = recipe.steps_per_epoch(len(train_samples)), search.warmup_epochs
        raise InputError(
            f"--epochs {options.epochs} leaves no room for a hypergradient: that is {options.epochs * per_epoch} "
            f"training steps, {warmup * per_epoch} of them warm-up, and the first one comes after --every "
            f"{search.outer.every}, --unroll {search.engine.steps} of them behind the warm-up; give more epochs, or a "
            "smaller --every, --unroll or --batch-size"
        )
    return Setup(options, task, recipe, search, goal, goal.counts(problem.final_training), splits)


def _splits(options: Options, problem: Problem) -> list[Fold]:
    """The folds, or the one split that the source brings."""
    if options.confidence == 0 and options.candidates is not None:
        raise InputError(f"--candidates {options.candidates} has no effect with --confidence 0, which makes no choice")
    if problem.own_validation and options.folds is None:
        first, last = len(problem.train), len(problem.train) + len(problem.validation)
        return [(torch.arange(first), torch.arange(first, last))]
    if options.folds is None and options.confidence == 0:
        return []
    return stratified_folds(problem, options.folds or CHOICE_FOLDS, options.seed)


def _searched_on(
    options: Options, problem: Problem, splits: list[Fold]
) -> tuple[Samples, Samples] | tuple[FoldedSamples, FoldedSamples]:
    """What the search trains on and looks at: of the one split, or of every fold."""
    if options.folds is None:
        return problem.train, problem.validation
    if options.validation is not None:
        raise InputError(f"--validation {options.validation} has no effect with --folds: every sample validates once")
    return side_by_side(problem, splits)


def compared_model(options: Options, task: Setting, seed: int, loss: str, strength: float | None = None) -> nn.Module:
    """The model that the losses are searched and compared with: the task's, with `FDS` where it is asked for, as
    published or with the strength that was found."""
    model, problem = task.new_model(seed, named_loss(loss).head), task.problem
    smoothing = smoothing_of(options, problem, strength)
    return model if smoothing is None else smoothing.calibrate(model, problem.train.first())


def smoothing_of(options: Options, problem: Problem, strength: float | None) -> Smoothing | None:
    if options.fds_layer is None or problem.bin_edges is None:
        return None
    return Smoothing(options.fds_layer, problem.bin_edges, 1.0 if strength is None else strength)


def _check_smoothing(options: Options, problem: Problem) -> None:
    """Raises an InputError where --fds-layer or --free fds cannot be had."""
    if options.fds_layer is None:
        if STRENGTH in options.free.split(","):
            raise InputError(f"--free {STRENGTH} has no effect without --fds-layer, which says what is smoothed")
        return
    if problem.bin_edges is None:
        raise InputError(f"--fds-layer {options.fds_layer} has no effect without --task regression")


def _engine(options: Options) -> Engine | None:
    if options.rounds is not None:
        _check_rounds(options)
        return None
    return make_engine(options.hypergradient, options.unroll)


def _check_rounds(options: Options) -> None:
    """Raises an InputError for options of a search within one training beside --rounds."""
    default = Options()
    for name in ("hypergradient", "unroll", "every", "outer_lr", "warmup", "late"):
        if (given := getattr(options, name)) != getattr(default, name):
            option = f"--{name.replace('_', '-')} {given}"
            raise InputError(f"{option} has no effect with --rounds, which replays whole trainings: leave one out")
    if options.compiled:
        raise InputError("--compiled has no effect with --rounds, which replays whole trainings: leave one out")


def _outer_loop(options: Options) -> OuterLoop | None:
    if options.rounds is not None:
        return None
    every = options.every or ENGINES[options.hypergradient].abilities.every
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
