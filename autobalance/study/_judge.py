"""What is measured of a method: on test samples, on validation samples, or on all folds together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import torch
from torch import Tensor

from autobalance.data import Samples
from autobalance.study._method import Method, OnEpoch
from autobalance.tasks import Task, task_of
from autobalance.training import Recipe, Setting, answers, peak_memory_mb, reset_peak_memory

#: Figures of a model by name, plain JSON values.
Figures = dict[str, Any]


@dataclass(frozen=True)
class Conditions:
    """What all methods of a comparison share.

    Args:
        setting: the problem, and how its models are made.
        recipe: of every training, but for a method's own changes.
        shots: a class or bin is many-shot above the first number of training samples, few-shot below the second; None:
            the task's.
    """

    setting: Setting
    recipe: Recipe
    shots: tuple[int, int] | None = None

    @cached_property
    def task(self) -> Task:
        """What the problem asks for."""
        return task_of(self.setting.problem, self.shots)

    def train_and_judge(
        self, method: Method, parts: Sequence[tuple[Samples, Samples]], seed: int, on_epoch: OnEpoch | None = None
    ) -> Figures:
        """Trains a method on each part and judges it on the samples beside it, all of these together.

        So a class counts as much as any other, when its few samples are held out in some folds only.

        Args:
            method: ready to train.
            parts: (what is trained on, what judges).
            seed: of the weights and the order of the samples.
            on_epoch: see `Method.train`.

        Returns:
            the figures of the task, and ``seconds``, ``memory_mb`` and whether a training ``diverged``: it then counts
            as a constant prediction.
        """
        reset_peak_memory(self.setting.device)
        begun = time.perf_counter()
        answers = [self._answer(method, part, judges, seed, on_epoch) for part, judges in parts]
        seconds = time.perf_counter() - begun
        judges = reduce(Samples.join, [judges for _, judges in parts])
        counts = torch.stack([self.task.counts(part) for part, _ in parts]).sum(0) // len(parts)
        return {
            **self.task.test(torch.cat([output for output, _ in answers]), judges, counts),
            "seconds": seconds,
            "memory_mb": peak_memory_mb(self.setting.device),
            "diverged": any(diverged for _, diverged in answers),
        }

    def _answer(
        self, method: Method, samples: Samples, judges: Samples, seed: int, on_epoch: OnEpoch | None
    ) -> tuple[Tensor, bool]:
        """What the trained model answers, and whether the training diverged."""
        found = answers(
            lambda: method.train(self.setting, samples, seed, self.recipe, on_epoch),
            self.setting.problem,
            samples,
            judges,
        )
        return found.output, found.diverged is not None

    def score(self, figures: Mapping[str, Any], metric: str | None = None) -> float:
        """What tuning makes small: the task's main metric, or another; for classes its tie-breaker, a cross-entropy,
        decides between equal errors."""
        tie = figures[self.task.tie]
        value = float(figures[metric or self.task.main])
        return value if self.setting.problem.bin_edges is not None else value + 1e-4 * (tie / (1 + tie))
