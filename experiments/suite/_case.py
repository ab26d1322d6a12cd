"""One problem under one split: what the methods may look at, and the samples that judge what they found."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from autobalance.cli import (
    GroupOptions,
    OpenConditions,
    Parser,
    add_group_options,
    add_problem_options,
    checked_values,
)
from autobalance.data import Problem, Samples, fewer_samples, split_again
from autobalance.study import Conditions, Figures, Method, train_methods
from autobalance.tasks import outputs
from autobalance.training import constant_output
from experiments.suite._plan import METRICS, Entry


@dataclass(frozen=True)
class Choice:
    """What is trained with in the end.

    Args:
        method: ready to train; its name is the row's.
        cost: what the decision took, in plain trainings.
        about: plain values for the record.
    """

    method: Method
    cost: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What a method may look at.

    Args:
        name: of the problem.
        conditions: training and validation samples, the model and the recipe; the test split is empty.
        seed: of the split, the weights and the order of the samples.
        metric: what is compared, one of `METRICS`; None: the first that there is.
    """

    name: str
    conditions: Conditions
    seed: int
    metric: str | None = None

    @property
    def problem(self) -> Problem:
        return self.conditions.setting.problem

    @property
    def kind(self) -> str:
        """``classification`` or ``regression``."""
        return "classification" if self.problem.bin_edges is None else "regression"

    @property
    def everything(self) -> Samples:
        """What the chosen loss is trained on: training samples, and validation samples that were drawn from them."""
        return self.problem.final_training

    def train(self, methods: Sequence[Method], samples: Samples) -> list[nn.Module | None]:
        """A model trained with each method, those of one structure together; None where a training diverged."""
        return train_methods(methods, self.conditions.setting, samples, self.seed, self.conditions.recipe)

    def judge(self, model: nn.Module | None, samples: Samples) -> Figures:
        """The figures of a model; None counts as a constant prediction."""
        task = self.conditions.task
        with torch.random.fork_rng(devices=[]):
            output = None if model is None else outputs(model, samples)
        broken = output is None or not torch.isfinite(output).all()
        if output is None or broken:
            output = constant_output(self.problem, self.everything, len(samples))
        tested = task.test(output, samples, task.counts(self.everything))
        numbers = {name: value for name, value in tested.items() if isinstance(value, float)}
        return {**numbers, "diverged": broken}

    def metric_name(self, tested: Mapping[str, Any]) -> str:
        """Which of the metrics decides."""
        return self.metric or next(name for name in METRICS if name in tested)

    def figure(self, tested: Mapping[str, Any]) -> float:
        """The number among the metrics that decides."""
        return float(tested[self.metric_name(tested)])

    def validation_score(self, model: nn.Module | None) -> float:
        """The figure on the validation samples; for classes, the balanced cross-entropy decides between equals."""
        tested = self.judge(model, self.problem.validation)
        tie = tested.get("balanced_ce", 0.0)
        return self.figure(tested) + 1e-4 * (tie / (1 + tie))

    def objective_score(self, model: nn.Module | None) -> float:
        """The objective that a search follows by default, on the validation samples; 1e6 where it is not finite."""
        if model is None:
            return 1e6
        samples, task = self.problem.validation, self.conditions.task
        objective = task.objective(task.defaults.objective)
        value = float(objective(outputs(model, samples), samples.without_inputs()))
        return value if abs(value) < float("inf") else 1e6


def options_of(entry: Entry, seed: int) -> GroupOptions:
    """What an entry says of data, model and training, checked as if it stood on the command line."""
    default = GroupOptions()
    parser = Parser(argument_default=argparse.SUPPRESS, allow_abbrev=False)
    add_problem_options(parser, default, ("classification", "regression"))
    add_group_options(parser, default)
    given = {name.replace("_", "-"): value for name, value in {**entry.options, "data": entry.data}.items()}
    return GroupOptions(**checked_values(given, GroupOptions, parser, entry.name), seed=seed)


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
    conditions = OpenConditions(options_of(entry, seed))()
    setting = conditions.setting
    if entry.samples is not None or entry.tail is not None:
        setting = replace(setting, problem=fewer_samples(setting.problem, seed, entry.samples, entry.tail))
    held_out = setting.problem.test
    if judge == "validation":
        held_out = setting.problem.validation
        setting = replace(setting, problem=split_again(setting.problem, seed))
    return Case(entry.name, replace(conditions, setting=setting.without_test()), seed, entry.metric), held_out
