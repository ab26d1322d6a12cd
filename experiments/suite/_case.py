"""One problem under one split: what the methods are given, and the samples that judge what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.cli._config import Options, make_parser
from autobalance.cli._options import checked_values
from autobalance.cli._setting import open_setting, recipe_of
from autobalance.data import Problem, Samples, fewer_samples, split_again
from autobalance.losses import Loss
from autobalance.tasks import Task, outputs, task_of
from autobalance.training import Recipe, Setting, train, train_together
from experiments.suite._plan import METRICS, Entry
from experiments.tuning import without_test


@dataclass(frozen=True)
class Choice:
    """What a method decided to train with.

    Args:
        method: its name.
        loss: samples a class or bin, (K,) -> the loss.
        head: of the model, "linear" or "cosine".
        recipe: of the training; None: the case's.
        cost: what the decision took, in plain trainings.
        about: plain values for the record.
    """

    method: str
    loss: Callable[[Tensor], Loss]
    head: str = "linear"
    recipe: Recipe | None = None
    cost: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What a method may look at.

    Args:
        name: of the problem.
        task: training and validation samples and the model; the test split is empty.
        goal: metrics and named losses.
        recipe: of every training.
        seed: of the split, the weights and the order of the samples.
        metric: what is compared, one of `METRICS`; None: the first that there is.
    """

    name: str
    task: Setting
    goal: Task
    recipe: Recipe
    seed: int
    metric: str | None = None

    @property
    def problem(self) -> Problem:
        return self.task.problem

    @property
    def kind(self) -> str:
        """``classification`` or ``regression``."""
        return "classification" if self.problem.bin_edges is None else "regression"

    @property
    def everything(self) -> Samples:
        """What the chosen loss is trained on: training samples, and validation samples that were drawn from them."""
        return self.problem.final_training

    def train(self, choices: Sequence[Choice], samples: Samples) -> list[nn.Module]:
        """A model trained with each choice, those of one structure together."""
        counts = self.goal.counts(samples)
        losses = [choice.loss(counts).to(self.task.device) for choice in choices]
        recipes = [choice.recipe or self.recipe for choice in choices]
        models = [self.task.new_model(self.seed, choice.head) for choice in choices]
        alike: dict[tuple[str, Recipe], list[int]] = {}
        for i, choice in enumerate(choices):
            alike.setdefault((choice.head, recipes[i]), []).append(i)
        for (_, recipe), members in alike.items():
            of_members = [models[i] for i in members], [losses[i] for i in members]
            try:
                self._train_together(*of_members, samples, recipe)
            except FloatingPointError:  # one diverged: the others begin anew, each for itself
                for i in members:
                    models[i] = self.task.new_model(self.seed, choices[i].head)
                    self._train_alone(models[i], samples, losses[i], recipe)
        return models

    def _train_together(self, models: list[nn.Module], losses: list[Loss], samples: Samples, recipe: Recipe) -> None:
        number = len(models)
        if number == 1:
            train(models[0], samples, losses[0], recipe, self.seed)
        else:
            train_together(models, [samples] * number, losses, recipe, [self.seed] * number)

    def _train_alone(self, model: nn.Module, samples: Samples, loss: Loss, recipe: Recipe) -> None:
        try:
            train(model, samples, loss, recipe, self.seed)
        except FloatingPointError:
            for parameter in model.parameters():
                nn.init.constant_(parameter, float("nan"))

    def judge(self, model: nn.Module, samples: Samples) -> dict[str, Any]:
        """The metrics of a model. One whose weights are not finite predicts a constant."""
        broken = not all(parameter.isfinite().all() for parameter in model.parameters())
        if broken:
            for parameter in model.parameters():
                nn.init.zeros_(parameter)
        with torch.random.fork_rng(devices=[]):
            tested = self.goal.test(outputs(model, samples), samples, self.goal.counts(self.everything))
        numbers = {name: value for name, value in tested.items() if isinstance(value, float)}
        return {**numbers, "diverged": broken}

    def metric_name(self, tested: Mapping[str, Any]) -> str:
        """Which of the metrics decides."""
        return self.metric or next(name for name in METRICS if name in tested)

    def figure(self, tested: Mapping[str, Any]) -> float:
        """The number among the metrics that decides."""
        return float(tested[self.metric_name(tested)])


def open_case(entry: Entry, seed: int, judge: str) -> tuple[Case, Samples]:
    """The case of a seed, and the samples that judge it, which no method sees.

    Args:
        entry: the problem, prepared.
        seed: draws the splits too.
        judge: "test"; or "validation": the test samples are thrown away, the validation samples judge, and a fifth of
            the training samples validates.

    Raises:
        InputError: the data cannot be used.
    """
    given = {
        name.replace("_", "-"): value for name, value in {**entry.options, "data": entry.data, "seed": seed}.items()
    }
    options = Options(**checked_values(given, Options, make_parser(), entry.name))
    task = open_setting(options)
    if entry.samples is not None or entry.tail is not None:
        task = replace(task, problem=fewer_samples(task.problem, seed, entry.samples, entry.tail))
    held_out = task.problem.test
    if judge == "validation":
        held_out = task.problem.validation
        task = replace(task, problem=split_again(task.problem, seed))
    task = without_test(task)
    goal = task_of(task.problem, options.shots)
    return Case(entry.name, task, goal, recipe_of(options, goal.defaults.lr), seed, entry.metric), held_out
