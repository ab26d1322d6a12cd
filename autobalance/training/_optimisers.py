"""The optimisers that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autobalance.common import InputError
from autobalance.hypergradients import SGD, Adam, Optimiser, Rate


@dataclass(frozen=True)
class NamedOptimiser:
    """What a recipe has to know of an optimiser.

    Args:
        make: (lr, weight_decay, **options) -> the optimiser; the learning rate is a function of the step.
        lr, weight_decay: the recipe's where it says nothing.
        options: which of the recipe's ``momentum`` and ``nesterov`` it has, with what they are where nothing is said.
    """

    make: Callable[..., Optimiser]
    lr: float
    weight_decay: float
    options: Mapping[str, Any] = field(default_factory=dict)


def adamw(lr: Rate, weight_decay: float) -> Adam:
    """Adam with decoupled weight decay; without weight decay the two are one."""
    return Adam(lr, weight_decay=weight_decay, decoupled=weight_decay > 0)


#: The optimisers by the names that `Recipe.optimizer` takes.
OPTIMIZERS: dict[str, NamedOptimiser] = {
    "sgd": NamedOptimiser(SGD, 0.1, 5e-4, {"momentum": 0.9, "nesterov": True}),
    "adam": NamedOptimiser(Adam, 1e-3, 5e-4),
    "adamw": NamedOptimiser(adamw, 1e-3, 1e-2),
}


def register_optimizer(name: str, optimiser: NamedOptimiser) -> None:
    """Lets recipes name an optimiser.

    Raises:
        InputError: the name is taken.
    """
    if name in OPTIMIZERS:
        raise InputError(f"there is an optimizer called {name!r} already")
    OPTIMIZERS[name] = optimiser
