"""What a run trains: the searched loss and the fixed ones, each with the recipe that is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from autobalance.bilevel import SEARCHED, SearchState
from autobalance.cli._augmented import AUGMENTED
from autobalance.cli._setup import Setup, compared_model
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.data.augmentation import Policy
from autobalance.losses import Loss
from autobalance.training import Recipe, train

#: Behind the name of a fixed loss that is trained with the rates that were found.
WITH_RATES = "+rates"


@dataclass(frozen=True)
class Method:
    """A loss and what it is trained with.

    Args:
        name: what the tables call it.
        point: the fixed loss that it is, or started from: its name chooses the head.
        loss: what is trained with.
        recipe: how.
        policy: how the samples are augmented.
        strength: of feature-distribution smoothing where there is some; None: as published.
    """

    name: str
    point: str
    loss: Loss
    recipe: Recipe
    policy: Policy | None = None
    strength: float | None = None

    def train(
        self, setup: Setup, samples: Samples, seed: int, on_epoch: Callable[[int, float], None] | None = None
    ) -> nn.Module:
        """A model that was trained from scratch.

        Raises:
            InputError: the training loss became NaN or infinite.
        """
        model = compared_model(setup.options, setup.task, seed, self.point, self.strength)
        try:
            train(model, samples, self.loss.to(setup.options.device), self.recipe, seed, on_epoch, self.policy)
        except FloatingPointError as error:
            raise InputError(f"training with {self.name}: {error} with --lr") from None
        return model


def searched_method(setup: Setup, state: SearchState) -> Method:
    """The loss that the search found, with all that it found beside."""
    search, best = setup.search, state.best
    return Method(
        SEARCHED,
        setup.options.start,
        search.space.loss(best),
        search.found_recipe(best),
        search.found_policy(best),
        search.found_strength(best),
    )


def fixed_methods(setup: Setup, names: list[str], searched: Method) -> list[Method]:
    """The named fixed losses. Where more than the loss was searched, rows that tell what the loss adds to the rest:
    cross-entropy with the augmentation that was found, and the start with the rates that were found."""
    methods = [Method(name, name, setup.goal.fixed_loss(name, setup.counts), setup.recipe) for name in names]
    rows = {method.name: method for method in methods}
    if searched.policy is not None and "ce" in rows:
        methods.append(replace(rows["ce"], name="ce" + AUGMENTED, policy=searched.policy))
    if setup.search.rates and searched.point in rows:
        methods.append(replace(rows[searched.point], name=searched.point + WITH_RATES, recipe=searched.recipe))
    return methods
