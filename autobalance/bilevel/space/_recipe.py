"""What is searched of the recipe: log factors on its learning rate and weight decay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.hypergradients import RECIPE_PARAMETERS
from autobalance.training import Recipe

#: How far the logarithm moves when a searched number of the loss moves by one. Useful weight decays lie further apart
#: than useful losses do: on development samples of three tables the best were 1, 4 and 40 times 5e-4.
UNITS: Mapping[str, float] = {"lr": 2.0, "weight_decay": 4.0}
#: The largest factor, and one over the smallest. Within a few steps of an unroll, more decay always looks harmless;
#: without a bound the weights of a whole training with it could vanish.
BOUNDS: Mapping[str, float] = {"lr": 4.0, "weight_decay": 30.0}


class RecipeSpace:
    """Factors exp(a) on recipe parameters, a = 0 at the start.

    Args:
        recipe: the start.
        names: which of its parameters are searched: ``lr``, ``weight_decay``, both or none.
        device: where the searched numbers are.

    Raises:
        InputError: another name, or a parameter that is 0, which no factor changes.
    """

    def __init__(self, recipe: Recipe, names: Sequence[str] = (), device: torch.device | str = "cpu") -> None:
        for name in names:
            if name not in RECIPE_PARAMETERS or not getattr(recipe, name):
                raise InputError(
                    f"{name!r} cannot be searched: of the recipe only {' and '.join(RECIPE_PARAMETERS)} above 0 can"
                )
        self.recipe, self.names, self._device = recipe, tuple(names), device

    def init(self) -> dict[str, Tensor]:
        """The searched numbers at the start: a zero for each name."""
        return {RECIPE_PARAMETERS[name]: torch.zeros((), device=self._device) for name in self.names}

    @property
    def units(self) -> dict[str, float]:
        """How far each searched number moves when a number of the loss moves by one."""
        return {RECIPE_PARAMETERS[name]: UNITS[name] for name in self.names}

    def bounded(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``raw`` with the numbers of this space within their bounds."""
        bounds = {RECIPE_PARAMETERS[name]: math.log(BOUNDS[name]) for name in self.names}
        return {name: a.clamp(-bounds[name], bounds[name]) if name in bounds else a for name, a in raw.items()}

    def found(self, raw: Mapping[str, Tensor]) -> Recipe:
        """The recipe at ``raw``."""
        factors = {name: math.exp(raw[RECIPE_PARAMETERS[name]].item()) for name in self.names}
        return replace(self.recipe, **{name: getattr(self.recipe, name) * factor for name, factor in factors.items()})
