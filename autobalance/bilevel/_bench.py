"""Where a strategy gets its trainees: a plan and a setting make models, samples and spaces of any start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from autobalance.bilevel._plan import SearchPlan
from autobalance.bilevel._portfolio import OF_NUMBERS, PORTFOLIO
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import (
    AUGMENT,
    LATE_START,
    OF_LOSS,
    SMOOTHING,
    AugmentationSpace,
    LossSpace,
    RecipeSpace,
    SearchSpace,
    SmoothingSpace,
)
from autobalance.common import InputError
from autobalance.data import Fold, side_by_side, stratified_folds
from autobalance.hypergradients import RECIPE_PARAMETERS
from autobalance.losses import Loss
from autobalance.losses.named import named_loss
from autobalance.models import Smoothing, output_bias, start_at
from autobalance.tasks import Task
from autobalance.tasks.objectives import Objective
from autobalance.training import Arm, Recipe, SeesTargets, Setting


@dataclass(frozen=True)
class Bench:
    """A plan on a setting.

    Args:
        plan: complete.
        setting: the samples and the model.
        task: what is asked of them.
        objective: what is made small.
    """

    plan: SearchPlan
    setting: Setting
    task: Task
    objective: Objective

    @property
    def recipe(self) -> Recipe:
        """Of every training, unless it is searched."""
        assert self.plan.recipe is not None
        return self.plan.recipe

    @property
    def free(self) -> tuple[str, ...]:
        """What is searched."""
        return tuple(self.plan.free or ())

    @property
    def of_numbers(self) -> bool:
        """Whether it is a regression."""
        return self.setting.problem.bin_edges is not None

    @property
    def sees_targets(self) -> bool:
        """Whether the model is shown the targets of each batch, as feature smoothing is."""
        return isinstance(self.model(self.start(self.counts(None))), SeesTargets)

    def counts(self, folds: Sequence[Fold] | None) -> Tensor:
        """Samples of each class, bin or cell: of the pool that is dealt into folds, or of the training split."""
        return self.task.counts(self.setting.problem.train if folds is None else self.setting.pool)

    def folds(self, number: int) -> list[Fold]:
        """The pool dealt into folds, each class in proportion."""
        return stratified_folds(self.setting.problem, number, self.plan.seed)

    def on(self, fold: Fold) -> Bench:
        """The same plan where training and validation samples are those that a fold trains on and holds out."""
        pool, (rest, held) = self.setting.pool, fold
        problem = replace(self.setting.problem, train=pool.subset(rest), validation=pool.subset(held))
        return replace(self, setting=replace(self.setting, problem=problem))

    def start(self, counts: Tensor) -> Arm:
        """The training with the loss that the plan starts from."""
        given = self.plan.start
        assert given is not None
        return self.fixed(given, counts) if isinstance(given, str) else self.arm(self.plan.start_name, given)

    def fixed(self, name: str, counts: Tensor) -> Arm:
        """The training with a fixed loss by its name."""
        named = named_loss(name)
        drop = named.drop({})
        recipe = self.recipe if drop is None else replace(self.recipe, drop=drop)
        return self.arm(name, self.task.fixed_loss(name, counts), named.head, recipe)

    def portfolio(self, number: int, counts: Tensor) -> list[Arm]:
        """The plan's start, its candidates, and a number of further starts; see `PORTFOLIO` and `OF_NUMBERS`."""
        start = self.start(counts)
        arms = [start, *(self.fixed(name, counts) for name in self.plan.candidates if name != start.name)]
        portfolio = OF_NUMBERS if self.of_numbers else PORTFOLIO
        for name, (make, factor) in list(portfolio.items())[:number]:
            recipe = replace(self.recipe, weight_decay=factor * self.recipe.weight_decay)
            arms.append(self.arm(name, make(self.task, counts), recipe=recipe))
        return arms

    def arm(self, name: str, loss: Loss, head: str = "linear", recipe: Recipe | None = None) -> Arm:
        """A training with a loss."""
        return Arm(name, loss, recipe or self.recipe, head, smoothing=self.smoothing())

    def smoothing(self, strength: float | None = None) -> Smoothing | None:
        """The feature smoothing that the plan asks for, as published or with the strength that was found."""
        edges = self.setting.problem.bin_edges
        if self.plan.fds_layer is None or edges is None:
            return None
        return Smoothing(self.plan.fds_layer, edges, 1.0 if strength is None else strength)

    def model(self, arm: Arm) -> nn.Module:
        """The model of an arm as every search of this plan finds it."""
        return arm.new_model(self.setting, self.plan.seed)

    def has_output_bias(self, arm: Arm) -> bool:
        """Whether an arm's model can be started at offsets of its outputs."""
        return output_bias(self.model(arm), self.setting.problem.train.first(2)) is not None

    def trainee(self, arm: Arm, folds: Sequence[Fold] | None, free: Sequence[str], tie: str | None = None) -> Trainee:
        """What a search trains.

        Args:
            arm: where it starts.
            folds: models train side by side on these; None: one on the training split.
            free: what is searched.
            tie: see `LossSpace`; None: the plan's, or else by frequency.
        """
        model, problem, counts = self.model(arm), self.setting.problem, self.counts(folds)
        start_at(model, problem.train.first(2), arm.loss.start_bias)
        device = next(model.parameters()).device
        loss = LossSpace(
            arm.loss.to(device),
            counts.to(device),
            [name for name in free if name in OF_LOSS],
            tie or self.plan.tie or "frequency",
            [name for name in self.plan.late if name in free],
            LATE_START if self.plan.late_start is None else self.plan.late_start,
            problem.group_names,
            self.plan.form,
        )
        space = SearchSpace(
            loss,
            RecipeSpace(arm.recipe, [name for name in free if name in RECIPE_PARAMETERS], device),
            self._augmentation(counts) if AUGMENT in free else None,
            SmoothingSpace(device) if SMOOTHING in free else None,
        )
        samples = (problem.train, problem.validation) if folds is None else side_by_side(problem, folds)
        return Trainee(model, samples, space, self.objective, self.task.watch, arm.head)

    def planned(self) -> Trainee:
        """The trainee of the plan's own start, on its folds or on the one split, with all that is free."""
        folds = None if self.plan.folds is None else self.folds(self.plan.folds)
        return self.trainee(self.start(self.counts(folds)), folds, self.free)

    def _augmentation(self, counts: Tensor) -> AugmentationSpace:
        problem, plan = self.setting.problem, self.plan
        if problem.bin_edges is not None:
            raise InputError(f"{AUGMENT!r} can be searched for classes only, not for a regression")
        names = (problem.class_names, problem.group_names)
        return AugmentationSpace(
            problem.train.first(), counts, plan.operations, plan.tie_augment or "frequency", *names
        )

    def one_split(self) -> list[Fold]:
        """The training and the validation split as the one fold of the pool."""
        problem = self.setting.problem
        first, last = len(problem.train), len(problem.train) + len(problem.validation)
        return [(torch.arange(first), torch.arange(first, last))]
