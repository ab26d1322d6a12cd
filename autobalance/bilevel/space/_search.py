"""All that a search has free, as one set of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autobalance.bilevel.space._augmentation import AUGMENT, AugmentationSpace
from autobalance.bilevel.space._loss import OF_LOSS, LossSpace
from autobalance.bilevel.space._recipe import RecipeSpace
from autobalance.bilevel.space._smoothing import SMOOTHING, SmoothingSpace
from autobalance.common import InputError
from autobalance.data.augmentation import Policy
from autobalance.hypergradients import RECIPE_PARAMETERS
from autobalance.losses import Member, ScheduledLoss
from autobalance.training import Recipe

#: What can be free: parameters of the loss, then of the recipe, then augmentation and feature smoothing.
FREE = (*OF_LOSS, *RECIPE_PARAMETERS, AUGMENT, SMOOTHING)


@dataclass(frozen=True)
class Found:
    """What a search hands out.

    Args:
        loss: a member of a family, or a schedule of members.
        recipe: how to train with it.
        policy: how to augment; None where that was not searched.
        strength: of feature smoothing; None where it was not searched.
        head: of the model that the loss is for.
    """

    loss: Member | ScheduledLoss
    recipe: Recipe
    policy: Policy | None = None
    strength: float | None = None
    head: str = "linear"


@dataclass(frozen=True)
class SearchSpace:
    """What is searched: parameters of the loss and, where they are free, of all else that a training is made of.

    Args:
        loss: the losses around a start.
        recipe: factors on the recipe's parameters.
        augmentation: the policies around a start; None: not searched.
        smoothing: the strength of the model's feature smoothing; None: not searched.

    Raises:
        InputError: nothing is free.
    """

    loss: LossSpace
    recipe: RecipeSpace
    augmentation: AugmentationSpace | None = None
    smoothing: SmoothingSpace | None = None

    def __post_init__(self) -> None:
        if not (self.loss.free or self.recipe.names or self.augmentation or self.smoothing):
            raise InputError(f"nothing is `free` to be searched; name one or more of {', '.join(FREE)}")

    def init(self) -> dict[str, Tensor]:
        """The searched numbers at the start, by name: all zero."""
        parts = (self.loss, self.augmentation, self.recipe, self.smoothing)
        return {name: value for part in parts if part is not None for name, value in part.init().items()}

    def bounded(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``raw`` with every number that has bounds within them."""
        raw = self.recipe.bounded(self.loss.bounded(raw))
        return raw if self.smoothing is None else self.smoothing.bounded(raw)

    def found(self, raw: Mapping[str, Tensor]) -> Found:
        """What the searched numbers stand for."""
        return Found(
            self.loss.loss(raw),
            self.recipe.found(raw),
            None if self.augmentation is None else self.augmentation.policy(raw),
            None if self.smoothing is None else self.smoothing.strength(raw).item(),
        )

    def describe(self, raw: Mapping[str, Tensor]) -> dict[str, Any]:
        """The same for the history, fit for JSON: parameters, rates, augmentation and fds where they are searched."""
        found = self.found(raw)
        return {
            "parameters": {name: getattr(found.loss.at(1.0), name).tolist() for name in self.loss.free},
            "rates": {name: getattr(found.recipe, name) for name in self.recipe.names},
            **({} if found.policy is None else {"augmentation": found.policy.to_dict()}),
            **({} if found.strength is None else {SMOOTHING: found.strength}),
        }
