"""Everything about a plan that can be refused is refused here, before the first training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autobalance.bilevel._guard import CHOICE_FOLDS, member
from autobalance.bilevel._plan import SearchPlan
from autobalance.bilevel._strategy import Search
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import (
    AUGMENT,
    BOUNDS,
    FREE,
    LATE_START,
    SMOOTHING,
    AugmentationSpace,
    Found,
    LossSpace,
    RecipeSpace,
    SearchSpace,
    SmoothingSpace,
)
from autobalance.common import InputError
from autobalance.data import Fold, FoldedSamples, Samples, side_by_side, stratified_folds
from autobalance.hypergradients import RECIPE_PARAMETERS, Needs, check_engine, processes
from autobalance.losses import Loss
from autobalance.losses.named import named_loss
from autobalance.models import Smoothing
from autobalance.tasks import Task
from autobalance.training import Arm, Recipe, SeesTargets, Setting, WithFeatures


@dataclass(frozen=True)
class CheckedPlan:
    """A plan that nothing stands against, with all that it makes of a setting.

    Args:
        plan: complete.
        setting: the samples and the model.
        task: what is asked.
        search: ready to run.
        counts: samples of each class, bin or cell in the final training.
        splits: what the losses to choose among are trained and judged on, as positions in the pool; none without a
            choice.
    """

    plan: SearchPlan
    setting: Setting
    task: Task
    search: Search
    counts: Tensor
    splits: list[Fold]

    @property
    def recipe(self) -> Recipe:
        """Of every training, unless it is searched."""
        return self.search.trainee.recipe

    def found_arm(self, found: Found, name: str) -> Arm:
        """The training with what the search found."""
        plan = self.plan
        smoothing = smoothing_of(plan, self.setting, found.strength)
        return Arm(name, found.loss, found.recipe, _head(plan.start), found.policy, smoothing)

    def fixed_arm(self, name: str) -> Arm:
        """The training with a fixed loss by its name, or with the start."""
        plan = self.plan
        if name == plan.start_name and not isinstance(plan.start, str):
            assert plan.start is not None
            return Arm(name, plan.start, self.recipe, smoothing=smoothing_of(plan, self.setting))
        loss = self.task.fixed_loss(name, self.counts)
        return Arm(name, loss, self.recipe, _head(name), smoothing=smoothing_of(plan, self.setting))

    @property
    def candidates(self) -> list[str]:
        """The fixed losses that the searched one has to beat, the one that it started from first."""
        return list(dict.fromkeys([self.plan.start_name, *self.plan.candidates]))


def check(plan: SearchPlan, setting: Setting, task: Task, compared: Sequence[str] = ()) -> CheckedPlan:
    """Builds the search that a plan asks for.

    Args:
        plan: what is asked.
        setting: the samples and the model.
        task: what is asked of the samples.
        compared: fixed losses that will be trained beside the searched one.

    Raises:
        InputError: what is wrong and what helps.
    """
    plan, problem = plan.completed(task), setting.problem
    free, recipe = _free(plan), plan.recipe
    assert recipe is not None and plan.objective is not None
    splits = _splits(plan, setting)
    counts = task.counts(problem.train if plan.folds is None else setting.pool)
    start = task.fixed_loss(plan.start, counts) if isinstance(plan.start, str) else plan.start
    assert start is not None
    _check_smoothing(plan, setting)
    model = _model(plan, setting, plan.start)
    check_engine(plan.strategy.hypergradient, _needs(plan, recipe, free, model))
    for name in dict.fromkeys([*plan.candidates, *compared]):
        loss = task.fixed_loss(name, counts)
        fixed = _model(plan, setting, name)  # so that a part that is not there is said now
        if loss.needs_features:
            WithFeatures(fixed)
        if name in plan.candidates:
            member(name, loss)
    device = next(model.parameters()).device
    space = SearchSpace(
        LossSpace(
            start.to(device),
            counts.to(device),
            [name for name in free if name in BOUNDS],
            plan.tie,
            plan.late,
            LATE_START if plan.late_start is None else plan.late_start,
            problem.group_names,
        ),
        RecipeSpace(recipe, [name for name in free if name in RECIPE_PARAMETERS], device),
        _augmentation(plan, setting, counts),
        SmoothingSpace(device) if SMOOTHING in free else None,
    )
    objective = task.objective(plan.objective)
    trainee = Trainee(model, _searched_on(plan, setting, splits), space, objective, recipe, task.watch)
    search = plan.strategy.search(trainee, plan.seed)
    return CheckedPlan(plan, setting, task, search, task.counts(problem.final_training), splits)


def smoothing_of(plan: SearchPlan, setting: Setting, strength: float | None = None) -> Smoothing | None:
    """The feature smoothing that a plan asks for, as published or with the strength that was found."""
    edges = setting.problem.bin_edges
    if plan.fds_layer is None or edges is None:
        return None
    return Smoothing(plan.fds_layer, edges, 1.0 if strength is None else strength)


def _head(loss: str | Loss | None) -> str:
    return named_loss(loss).head if isinstance(loss, str) else "linear"


def _model(plan: SearchPlan, setting: Setting, loss: str | Loss | None) -> nn.Module:
    model, smoothing = setting.new_model(plan.seed, _head(loss)), smoothing_of(plan, setting)
    return model if smoothing is None else smoothing.calibrate(model, setting.problem.train.first())


def _free(plan: SearchPlan) -> Sequence[str]:
    """What is searched, once all of it is known and goes together."""
    assert plan.free is not None
    if unknown := [name for name in plan.free if name not in FREE]:
        raise InputError(f"{unknown[0]!r} cannot be searched; `free` are any of {', '.join(FREE)}")
    if plan.late_start is not None and not plan.late:
        raise InputError("`late_start` has no effect without `late`, which names what is switched on late")
    return plan.free


def _needs(plan: SearchPlan, recipe: Recipe, free: Sequence[str], model: nn.Module) -> Needs:
    """What the plan asks of its engine."""
    return Needs(
        optimiser=recipe.optimiser(1),
        recipe_parameters=tuple(name for name in free if name in RECIPE_PARAMETERS),
        transform=AUGMENT in free,
        feature_smoothing=isinstance(model, SeesTargets),
        folds=plan.folds is not None,
        frozen_parameters=not all(parameter.requires_grad for parameter in model.parameters()),
        precision=recipe.precision != "float32",
        compiled=recipe.compiled,
        processes=processes() > 1,
    )


def _splits(plan: SearchPlan, setting: Setting) -> list[Fold]:
    """The folds, or the one split that the source brings."""
    problem = setting.problem
    if plan.candidates and not plan.confidence:
        raise InputError(
            f"`candidates` {', '.join(plan.candidates)} have no effect with `confidence` 0: they have to be beaten "
            "with a confidence above 0"
        )
    if problem.own_validation and plan.folds is None:
        first, last = len(problem.train), len(problem.train) + len(problem.validation)
        return [(torch.arange(first), torch.arange(first, last))]
    if plan.folds is None and not plan.confidence:
        return []
    return stratified_folds(problem, plan.folds or CHOICE_FOLDS, plan.seed)


def _searched_on(
    plan: SearchPlan, setting: Setting, splits: list[Fold]
) -> tuple[Samples, Samples] | tuple[FoldedSamples, FoldedSamples]:
    """What the search trains on and looks at: of the one split, or of every fold."""
    problem = setting.problem
    return (problem.train, problem.validation) if plan.folds is None else side_by_side(problem, splits)


def _augmentation(plan: SearchPlan, setting: Setting, counts: Tensor) -> AugmentationSpace | None:
    """What is searched of the augmentation; None where it is not free."""
    problem = setting.problem
    if AUGMENT not in _free(plan):
        for name in ("operations", "tie_augment"):
            if getattr(plan, name) is not None:
                raise InputError(f"`{name}` has no effect: {AUGMENT!r} is not among what is `free`")
        return None
    if problem.bin_edges is not None:
        raise InputError(f"{AUGMENT!r} can be searched for classes only, not for a regression")
    names = (problem.class_names, problem.group_names)
    return AugmentationSpace(problem.train.first(), counts, plan.operations, plan.tie_augment or "frequency", *names)


def _check_smoothing(plan: SearchPlan, setting: Setting) -> None:
    """Refuses feature smoothing that cannot be had."""
    problem = setting.problem
    if plan.fds_layer is not None and problem.bin_edges is None:
        raise InputError(f"`fds_layer` {plan.fds_layer} has no effect on classes: it is for a regression")
    if SMOOTHING in _free(plan) and not isinstance(_model(plan, setting, None), SeesTargets):
        raise InputError(
            f"{SMOOTHING!r} cannot be searched: the model has no feature smoothing; `fds_layer` names the layer"
        )
