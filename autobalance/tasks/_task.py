"""What a problem asks for: what all kinds of it share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from autobalance.common import InputError
from autobalance.data import Batch, Problem, Samples
from autobalance.losses import Loss
from autobalance.tasks.metrics import SHOTS, Context, Metric, Outputs, metric_named, metrics
from autobalance.tasks.objectives import Objective, Own, OwnFunction, make_objective, standing

#: A metric below is perfect, but for rounding.
PERFECT = 1e-9
#: Outputs that are made to see which constant predictions an objective is content with.
MOST_TRIED = 10**8


@dataclass(frozen=True)
class Defaults:
    """What is searched and compared where nothing else is said.

    Args:
        objective: what is made small.
        start: the fixed loss that the search starts from.
        free: what is searched.
        baselines: fixed losses to compare with.
        lr: the learning rate.
    """

    objective: str
    start: str
    free: tuple[str, ...]
    baselines: tuple[str, ...]
    lr: float = 0.1


@dataclass(frozen=True)
class Task(ABC):
    """What a problem asks for.

    The search, the trainings and the report are the same for all tasks; the losses' tables are over classes, over cells
    (a class in a group each) or over bins of the target. What differs is here: the index, the named losses, the
    objective and the metrics.

    Args:
        problem: the samples.
        shots: a class, cell or bin is many-shot above the first number of training samples, few-shot below the second.

    Attributes:
        index: what the losses' tables are over: ``class``, ``cell`` or ``bin``.
        by_index: the figure of each of them, a list (of cells: of lists).
        main: the metric that methods are tuned and ranked by where nothing else is said.
        tie: the metric that decides between two whose main one is the same.
        watched: the metrics that the search's history keeps.
        defaults: what is searched and compared where nothing else is said.
    """

    problem: Problem
    shots: tuple[int, int] = SHOTS

    index: ClassVar[str]
    by_index: ClassVar[str]
    main: ClassVar[str]
    tie: ClassVar[str]
    watched: ClassVar[tuple[str, ...]]
    defaults: ClassVar[Defaults]

    def __post_init__(self) -> None:
        if not self.shots[0] >= self.shots[1] >= 0:
            raise InputError(f"`shots` are {self.shots}: many-shot begins above the first, few-shot below the second, "
                             f"for example {SHOTS}")  # fmt: skip

    @property
    def context(self) -> Context:
        """What metrics need to know; the samples that are counted are those of the final training."""
        counts = self.counts(self.problem.train)
        return Context(
            num_classes=self.problem.num_classes,
            num_groups=self.problem.num_groups,
            class_names=self.problem.class_names,
            group_names=self.problem.group_names or (),
            counts=counts if self.problem.own_validation else counts + self.counts(self.problem.validation),
            shots=self.shots,
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What every test of a model reports, `main` first."""
        reported = [metric for metric in metrics(self.context) if metric.reported]
        return tuple(sorted(reported, key=lambda metric: metric.key != self.main))

    def objective(self, objective: str | OwnFunction) -> Objective:
        """The objective of a text or a function, see `make_objective`; one's own is tried on outputs of zero.

        Raises:
            InputError: it cannot be read, is not known, does not fit the samples or fails.
        """
        made = make_objective(objective, self.context)
        if isinstance(made, Own):
            samples = self.problem.validation
            output = samples.first().new_zeros(len(samples), self.problem.num_outputs).requires_grad_()
            made.try_on(output, samples.without_inputs())
        return made

    def test(self, output: Tensor, samples: Samples, counts: Tensor) -> dict[str, Any]:
        """All figures of a model.

        Args:
            output: what it answers for the samples, (N, ...).
            samples: N of them.
            counts: training samples of each class or bin, (K,), or cell, (K, G).

        Returns:
            plain values, None where the samples tell nothing: each of `metrics`, `by_index`, and ``shots``: figures
            of many-, medium- and few-shot classes, cells or bins.
        """
        batch, context = samples.without_inputs(), replace(self.context, counts=counts.cpu())
        found = {metric.key: _known(metric.exact(output, batch, context)) for metric in self.metrics}
        return {**found, **self.tables(output, batch, context)}

    def watch(self, output: Outputs, batch: Batch) -> dict[str, float]:
        """The figures of the validation samples that the search's history keeps."""
        context = self.context
        return {name: metric_named(name).exact(output, batch, context) for name in self.watched}

    def won_by_one_class(self, objective: Objective) -> str | None:
        """The class that a model may predict for every sample and be perfect by an objective; None where there is none,
        and for one's own function.

        The validation samples tell. The most frequent classes are tried, as many as take no time.
        """
        if self.problem.bin_edges is not None or isinstance(objective, Own):
            return None
        batch, classes = self.problem.validation.without_inputs(), self.problem.num_classes
        order = batch.y.bincount(minlength=classes).argsort(descending=True, stable=True).tolist()
        for k in order[: max(1, MOST_TRIED // (len(batch.y) * classes))]:
            always = F.one_hot(batch.y.new_tensor(k), classes).float().expand(len(batch.y), -1)
            stands = standing(objective, always, batch)
            if stands.met and stands.figure < PERFECT:
                return self.problem.class_names[k]
        return None

    @abstractmethod
    def counts(self, samples: Samples) -> Tensor:
        """Samples of each class or bin, (K,), or of each class in each group, (K, G), on the CPU."""

    @abstractmethod
    def fixed_loss(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        """The named loss for training samples that are ``counts`` a class, bin or cell; with its hyper-parameters.

        Raises:
            InputError: there is no such loss for these samples.
        """

    @abstractmethod
    def tables(self, output: Tensor, batch: Batch, context: Context) -> dict[str, Any]:
        """The figures of single classes, cells or bins, and ``shots``."""

    @abstractmethod
    def facts(self, counts: Tensor) -> dict[str, Any]:
        """What ``result.json`` says of the classes, groups or bins, of which there are ``counts`` samples."""

    @abstractmethod
    def progress(self, record: Mapping[str, Any]) -> str:
        """One epoch's figures for people."""


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def counted(counts: Tensor) -> dict[str, Any]:
    """The samples of each class or bin, and the largest number over the smallest."""
    return {
        "class_counts": counts.tolist(),
        "imbalance_ratio": (counts.max() / counts[counts > 0].min()).item(),
    }
