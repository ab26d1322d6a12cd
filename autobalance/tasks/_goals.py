"""What a problem asks for: to tell classes apart, with or without groups, or to predict a number.

The search, the retraining and the report are the same for all; the losses' tables are over classes, over cells (a class
in a group each) or over bins of the target. What differs is here: the index, the named losses, the objective and the
metrics.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from autobalance.common import InputError, significant
from autobalance.common.density import bin_index
from autobalance.data import Batch, Problem, Samples
from autobalance.losses import Loss
from autobalance.losses.named import fixed_point, fixed_points, named_loss
from autobalance.tasks._group_metrics import group_metrics
from autobalance.tasks._metrics import balanced_error_of, classification_metrics, evaluate, outputs
from autobalance.tasks._regression_metrics import SHOTS, regression_metrics
from autobalance.tasks.objectives import Blend, Objective, Own, OwnFunction, make_objective, make_regression_objective

#: What the history and ``result.json`` have of groups, beside the tables.
GROUP_FIGURES = ("group_balanced_error", "worst_group_error", "deo")
GROUPS_FROM = "give --group COLUMN with a table, group_train with a .npz file, or --data digits-groups"


class Goal(Protocol):
    """What differs between classification, with and without groups, and regression."""

    def counts(self, samples: Samples) -> Tensor:
        """Samples of each class or bin, (K,), or of each class in each group, (K, G), on the CPU."""

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        """The named loss for training samples that are ``counts`` a class, bin or cell; with its hyper-parameters."""

    def objective(self, name: str | OwnFunction) -> Objective:
        """The objective of a name, a sum of names, or a function of (output, target, group)."""

    def watch(self, output: Tensor, batch: Batch) -> dict[str, float]:
        """The figures of the validation samples that the search's history keeps."""

    def test(self, model: nn.Module, samples: Samples, counts: Tensor) -> dict[str, Any]:
        """All figures of a model, after training on ``counts`` samples a class, bin or cell. Plain values."""

    def summary(self, tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means and standard deviations over the seeds of what `test` gave."""

    def facts(self, counts: Tensor) -> dict[str, Any]:
        """What ``result.json`` says of the classes, groups or bins, of which there are ``counts`` samples."""

    def progress(self, record: Mapping[str, Any]) -> str:
        """One epoch's figures for people."""


@dataclass(frozen=True)
class Classify:
    """To tell K classes apart."""

    problem: Problem

    def counts(self, samples: Samples) -> Tensor:
        return samples.class_counts(self.problem.num_classes).cpu()

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if named_loss(name).index == "cells":
            raise InputError(f"{name} is a loss for groups, and the samples have none: {GROUPS_FROM}")
        return fixed_point(name, counts, class_names=self.problem.class_names, **hyper)

    def objective(self, name: str | OwnFunction) -> Objective:
        objective = make_objective(name)
        if isinstance(objective, Blend) and objective.needs_groups:
            raise InputError(f"the objective {objective.text} needs groups, and the samples have none: {GROUPS_FROM}")
        return _tried(objective, self.problem)

    def watch(self, output: Tensor, batch: Batch) -> dict[str, float]:
        return balanced_error_of(output, batch)

    def test(self, model: nn.Module, samples: Samples, counts: Tensor) -> dict[str, Any]:
        return dict(vars(evaluate(model, samples, self.problem.num_classes)))

    def summary(self, tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {**numbers(tests, ("balanced_error", "error")), **_tables(tests, "class_error")}

    def facts(self, counts: Tensor) -> dict[str, Any]:
        return {"class_names": list(self.problem.class_names), **_counted(counts)}

    def progress(self, record: Mapping[str, Any]) -> str:
        return f"balanced error {record['balanced_error']:.1f} %"


@dataclass(frozen=True)
class ClassifyGroups:
    """To tell K classes apart, in each of G groups.

    Args:
        problem: has ``group_names``.
    """

    problem: Problem

    @property
    def _shape(self) -> tuple[int, int]:
        return self.problem.num_classes, self.problem.num_groups

    @property
    def _names(self) -> dict[str, Any]:
        return {"class_names": self.problem.class_names, "group_names": self.problem.group_names}

    def counts(self, samples: Samples) -> Tensor:
        return samples.cell_counts(*self._shape).cpu()

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if named_loss(name).index == "cells":
            return fixed_point(name, cell_counts=counts, **self._names, **hyper)
        return fixed_point(name, counts.sum(1), class_names=self.problem.class_names, **hyper)

    def objective(self, name: str | OwnFunction) -> Objective:
        return _tried(make_objective(name), self.problem)

    def watch(self, output: Tensor, batch: Batch) -> dict[str, float]:
        assert batch.group is not None
        found = group_metrics(output.argmax(1), batch.y, batch.group, *self._shape)
        return {**balanced_error_of(output, batch), **{name: getattr(found, name) for name in GROUP_FIGURES}}

    def test(self, model: nn.Module, samples: Samples, counts: Tensor) -> dict[str, Any]:
        assert samples.group is not None
        answers = outputs(model, samples).argmax(1)
        classes = classification_metrics(answers, samples.y, self.problem.num_classes)
        return {**vars(classes), **vars(group_metrics(answers, samples.y, samples.group, *self._shape))}

    def summary(self, tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        rows = [_tables([{"row": test["cell_error"][k]} for test in tests], "row") for k in range(self._shape[0])]
        return {
            **numbers(tests, ("balanced_error", "error", *GROUP_FIGURES)),
            **_tables(tests, "class_error"),
            **_tables(tests, "group_error"),
            "cell_error": [row["row"] for row in rows],
            "cell_error_std": [row["row_std"] for row in rows],
        }

    def facts(self, counts: Tensor) -> dict[str, Any]:
        names = {name: list(values) for name, values in self._names.items()}
        return {**names, **_counted(counts.sum(1)), "cell_counts": counts.tolist()}

    def progress(self, record: Mapping[str, Any]) -> str:
        return (
            f"balanced error {record['balanced_error']:.1f} %, worst group {record['worst_group_error']:.1f} %, "
            f"DEO {record['deo']:.1f}"
        )


@dataclass(frozen=True)
class Regress:
    """To predict a number; the index is the bin that the target falls into.

    Args:
        problem: has ``bin_edges``.
        shots: thresholds of the many- and few-shot bins.
    """

    problem: Problem
    shots: tuple[int, int] = SHOTS

    @property
    def edges(self) -> Tensor:
        return torch.tensor(self.problem.bin_edges, dtype=torch.float64)

    @property
    def scale(self) -> float:
        """The standard deviation of the training targets: what the losses measure errors in."""
        return self.problem.train.y.double().std(correction=0).item()

    def counts(self, samples: Samples) -> Tensor:
        return bin_index(samples.y.cpu(), self.edges).bincount(minlength=self.problem.num_classes)

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if name not in fixed_points("regression"):
            raise InputError(
                f"no regression loss is called {name!r}; there are {', '.join(fixed_points('regression'))}"
            )
        hyper = {**named_loss(name).in_deviations, **hyper}
        return fixed_point(name, bin_counts=counts, bin_edges=self.edges, scale=self.scale, **hyper)

    def objective(self, name: str | OwnFunction) -> Objective:
        return _tried(make_regression_objective(name, self.edges, self.scale), self.problem)

    def watch(self, output: Tensor, batch: Batch) -> dict[str, float]:
        found = regression_metrics(output, batch.y, self.edges, torch.ones(self.problem.num_classes))
        return {name: found[name] for name in ("balanced_mae", "mae")}

    def test(self, model: nn.Module, samples: Samples, counts: Tensor) -> dict[str, Any]:
        return regression_metrics(outputs(model, samples), samples.y, self.edges, counts, self.shots)

    def summary(self, tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        names = ("balanced_mae", "mae", "mse", "gm", "pearson", "spearman")
        shots: dict[str, Any] = {
            shot: {
                **numbers([test["shots"][shot] for test in tests], ("mae", "mse", "gm")),
                "samples": tests[0]["shots"][shot]["samples"],
            }
            for shot in tests[0]["shots"]
        }
        return {**numbers(tests, names), **_tables(tests, "bin_mae"), "shots": shots}

    def facts(self, counts: Tensor) -> dict[str, Any]:
        return {
            "class_names": list(self.problem.class_names),
            **_counted(counts),
            "bin_edges": list(self.problem.bin_edges or ()),
            "shot_thresholds": list(self.shots),
        }

    def progress(self, record: Mapping[str, Any]) -> str:
        return f"MAE {significant(record['mae'], 4)}, balanced {significant(record['balanced_mae'], 4)}"


def goal_of(problem: Problem, shots: tuple[int, int] | None = None) -> Goal:
    """What the problem asks for.

    Raises:
        InputError: thresholds for a classification.
    """
    if problem.bin_edges is not None:
        return Regress(problem, shots or SHOTS)
    if shots is not None:
        raise InputError("--shots has no effect without --task regression")
    if problem.num_groups == 1:
        raise InputError("all samples are in one group: leave the groups out, or give two at least")
    return ClassifyGroups(problem) if problem.num_groups else Classify(problem)


def _tried(objective: Objective, problem: Problem) -> Objective:
    """The objective, once a function of the user's own was seen to work: before anything takes time."""
    if isinstance(objective, Own):
        samples = problem.validation
        output = samples.first().new_zeros(len(samples), problem.num_outputs).requires_grad_()
        objective.try_on(output, samples.without_inputs())
    return objective


def _counted(counts: Tensor) -> dict[str, Any]:
    """The samples of each class or bin, and the largest number over the smallest."""
    return {
        "class_counts": counts.tolist(),
        "imbalance_ratio": (counts.max() / counts[counts > 0].min()).item(),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _std(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) == len(values) > 1 else None


def numbers(tests: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Mean, standard deviation and values over the seeds; None where a value is not known."""
    summary: dict[str, Any] = {}
    for name in names:
        values = [test[name] for test in tests]
        summary |= {name: _mean(values), f"{name}_std": _std(values), f"{name}_by_seed": values}
    return summary


def _tables(tests: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Mean and standard deviation over the seeds by class or bin."""
    columns = list(zip(*(test[name] for test in tests), strict=True))
    return {name: [_mean(column) for column in columns], f"{name}_std": [_std(column) for column in columns]}
