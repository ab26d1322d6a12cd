"""What the methods of a task are measured by: errors in classes, or distances from numbers."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from autobalance.common import significant
from autobalance.data import Problem, Samples
from autobalance.tasks import task_of

SHOTS = ("many", "medium", "few")
_BY_SHOT = {shot: f"{shot}-shot" for shot in SHOTS}


class Yardstick(ABC):
    """What is measured of a trained method, and how the tables call it.

    Attributes:
        main: the figure that methods are tuned, ranked and tested by; less is better.
        tie: the figure that decides between trials whose ``main`` is the same.
        by_class: the figure of each class or bin, a list.
        columns: the figures of the table with their titles, ``main`` first; the shots among them.
        index: what the list is over.
        by_class_title, axis, beside_axis, tie_name: what the table of that list, the figure's axes and the notes say.
        beside: what the figure shows beside ``main``, up to three of ``columns`` with their names.
        unit: what the notes say of the figures.
        constant: what a training that diverged counts as.
    """

    main: ClassVar[str]
    tie: ClassVar[str]
    by_class: ClassVar[str]
    columns: ClassVar[Mapping[str, str]]
    index: ClassVar[str]
    by_class_title: ClassVar[str]
    axis: ClassVar[str]
    beside_axis: ClassVar[str]
    beside: ClassVar[Mapping[str, str]] = _BY_SHOT
    tie_name: ClassVar[str]
    unit: ClassVar[str]
    constant: ClassVar[str]

    @abstractmethod
    def figures(
        self, problem: Problem, output: Tensor, judged: Samples, counts: Tensor, shots: tuple[int, int]
    ) -> dict:
        """All figures of a model's ``output``, plain values fit for JSON.

        Args:
            problem: its classes, bins or cells.
            output: (N, ...).
            judged: the N samples that it was asked about.
            counts: training samples of each class or bin, (K,), or cell, (K, G).
            shots: many-shot above the first number of training samples, few-shot below the second.
        """

    @abstractmethod
    def constant_output(self, problem: Problem, samples: Samples, number: int) -> Tensor:
        """What the best constant prediction after ``samples`` answers for ``number`` samples."""

    def index_names(self, problem: Problem) -> list[str]:
        """What the list is over, in its order."""
        return list(problem.class_names)

    def score(self, figures: Mapping[str, Any]) -> float:
        """What tuning makes small."""
        return float(figures[self.main])

    def column(self, run: Mapping[str, Any], name: str, shots: Sequence[str]) -> float | None:
        """A figure of a run by its column's name; ``shots`` is the shot of each class or bin."""
        value: float | None = run[name]
        return value

    @abstractmethod
    def text(self, value: float) -> str:
        """A figure as the table prints it."""

    def short(self, value: float) -> str:
        """A figure as the wide table of all classes or bins prints it."""
        return self.text(value)


class ClassErrors(Yardstick):
    """Errors in percent; ties are broken by the balanced cross-entropy."""

    main, tie, by_class = "balanced_error", "balanced_ce", "class_error"
    columns: ClassVar[Mapping[str, str]] = {
        "balanced_error": "balanced error",
        "error": "overall error",
        **_BY_SHOT,
    }
    index, by_class_title, tie_name = "class", "Error by class", "balanced cross-entropy"
    axis, beside_axis = "balanced test error (%)", "test error (%) by shot"
    unit = "Errors in percent"
    constant = "a constant prediction"

    def figures(
        self, problem: Problem, output: Tensor, judged: Samples, counts: Tensor, shots: tuple[int, int]
    ) -> dict:
        found = task_of(problem, shots).test(output, judged, counts)
        return {name: value for name, value in found.items() if name != "shots"}

    def constant_output(self, problem: Problem, samples: Samples, number: int) -> Tensor:
        largest = samples.class_counts(problem.num_classes).argmax()
        return F.one_hot(largest, problem.num_classes).float().expand(number, -1)

    def score(self, figures: Mapping[str, Any]) -> float:
        ce = figures[self.tie]
        return float(figures[self.main] + 1e-4 * (ce / (1 + ce)))

    def column(self, run: Mapping[str, Any], name: str, shots: Sequence[str]) -> float | None:
        return shot_error(run[self.by_class], shots, name) if name in SHOTS else super().column(run, name, shots)

    def text(self, value: float) -> str:
        return f"{value:.2f}"

    def short(self, value: float) -> str:
        return f"{value:.1f}"


class GroupErrors(ClassErrors):
    """Errors in percent over cells (a class in a group); ties are broken by the cross-entropy balanced over cells."""

    main, tie, by_class = "group_balanced_error", "group_balanced_ce", "cell_error"
    columns: ClassVar[Mapping[str, str]] = {
        "group_balanced_error": "group-balanced error",
        "worst_group_error": "worst group error",
        "deo": "DEO",
        "balanced_error": "balanced error",
        "error": "overall error",
        **_BY_SHOT,
    }
    index, by_class_title, tie_name = "cell", "Error by cell", "group-balanced cross-entropy"
    axis, beside_axis = "group-balanced test error (%)", "over the cells (%)"
    beside: ClassVar[Mapping[str, str]] = {"worst_group_error": "worst group error", "deo": "DEO"}
    unit = (
        "A cell is a class in a group. Group-balanced error (the mean over the cells of the cell's error), worst group "
        "error (the largest of a cell), DEO (the sum over the classes of the largest less the smallest error of its "
        "cells), error balanced over classes and overall error in percent"
    )

    def index_names(self, problem: Problem) -> list[str]:
        return [f"{name}, {group}" for name in problem.class_names for group in problem.group_names or ()]

    def figures(
        self, problem: Problem, output: Tensor, judged: Samples, counts: Tensor, shots: tuple[int, int]
    ) -> dict:
        found = super().figures(problem, output, judged, counts, shots)
        return {**found, "cell_error": [error for row in found["cell_error"] for error in row]}


class Distances(Yardstick):
    """Distances from the targets, in their unit; the shots are of bins."""

    main, tie, by_class = "balanced_mae", "mae", "bin_mae"
    columns: ClassVar[Mapping[str, str]] = {
        "balanced_mae": "balanced MAE",
        "mae": "MAE",
        "mse": "MSE",
        "gm": "GM",
        **{shot: f"{title} MAE" for shot, title in _BY_SHOT.items()},
        "pearson": "Pearson",
        "spearman": "Spearman",
    }
    index, by_class_title, tie_name = "bin", "MAE by bin", "MAE"
    axis, beside_axis = "balanced test MAE", "test MAE by shot"
    unit = "Balanced MAE (the mean over the bins of the bin's MAE), MAE, MSE and GM (the geometric mean of the errors)"
    constant = "the mean of the training targets"

    def figures(
        self, problem: Problem, output: Tensor, judged: Samples, counts: Tensor, shots: tuple[int, int]
    ) -> dict:
        found = task_of(problem, shots).test(output, judged, counts)
        by_shot = found.pop("shots")
        return {**found, **{shot: by_shot[shot]["mae"] for shot in SHOTS}}

    def constant_output(self, problem: Problem, samples: Samples, number: int) -> Tensor:
        return samples.y.mean().expand(number)

    def text(self, value: float) -> str:
        return significant(value, 4)


YARDSTICKS: Mapping[str, type[Yardstick]] = {"classes": ClassErrors, "groups": GroupErrors, "numbers": Distances}


def yardstick_name(problem: Problem) -> str:
    """Which of `YARDSTICKS` a problem is measured with."""
    if problem.bin_edges is not None:
        return "numbers"
    return "groups" if problem.num_groups else "classes"


def shot_error(class_error: Sequence[float | None], shots: Sequence[str], shot: str) -> float | None:
    """The mean error of the classes of a shot, or None where it has no class with test samples."""
    errors = [error for error, its in zip(class_error, shots, strict=True) if its == shot and error is not None]
    return statistics.fmean(errors) if errors else None
