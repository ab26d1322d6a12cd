"""One training of a method: what its loss and its steps are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from autobalance.data import Samples
from autobalance.tasks import Task, task_of
from autobalance.training import Recipe, Setting

#: Hyper-parameters by name.
Hyper = Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """Where, on what and how a model is trained.

    Args:
        setting: the problem and how its models are made.
        samples: what is trained on.
        seed: of the weights and the order of the samples.
        recipe: how, with the method's changes.
        hyper: the method's hyper-parameters.
        head: of the model: "linear" or "cosine".
    """

    setting: Setting
    samples: Samples
    seed: int
    recipe: Recipe
    hyper: Hyper
    head: str = "linear"

    @cached_property
    def task(self) -> Task:
        """What the problem asks for."""
        return task_of(self.setting.problem)

    @cached_property
    def counts(self) -> Tensor:
        """Training samples of each class or bin, (K,), or of each class in each group, (K, G), on the CPU."""
        return self.task.counts(self.samples)

    @property
    def class_counts(self) -> Tensor:
        """Training samples of each class or bin, (K,)."""
        return self.counts if self.counts.dim() == 1 else self.counts.sum(1)

    def stage(self, share: float, **changes: Any) -> Recipe:
        """The recipe of a stage beside the training itself, with a loss of its own.

        Args:
            share: of the training's epochs; the stage has at least one.
            changes: other fields, by name.
        """
        recipe = self.recipe
        if recipe.milestones is not None:  # at the same shares of fewer epochs
            changes = {"milestones": tuple(m / recipe.epochs if m >= 1 else m for m in recipe.milestones), **changes}
        return replace(recipe, epochs=max(1, round(share * recipe.epochs)), drop=None, **changes)
