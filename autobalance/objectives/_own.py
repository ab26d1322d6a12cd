"""Objectives of the user's own: any function of (logits, target, group)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from autobalance._importing import import_function
from autobalance.data import Batch
from autobalance.errors import InputError

#: What the search minimises: (the model's output, batch) -> scalar.
Objective = Callable[[Tensor, Batch], Tensor]
#: What a user writes: (the model's output, target, group or None) -> scalar.
OwnFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Own:
    """A function of (output, target, group) as an objective.

    Args:
        function: returns a scalar tensor, differentiable in the output; group is None where there are no groups.
        name: for messages.
    """

    def __init__(self, function: OwnFunction, name: str) -> None:
        self.function, self.name = function, name

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        value: Any = self.function(output, batch.y, batch.group)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise InputError(f"the objective {self.name} gives {got}: it must give one number, as a tensor")
        if output.requires_grad and not value.requires_grad:
            raise InputError(f"the objective {self.name} has no derivative in the model's output: use a smooth "
                             "function of the logits, no argmax and no numpy")  # fmt: skip
        return value.reshape(())


def own(objective: str | Callable[..., Any]) -> Objective | None:
    """The objective of a function or of ``package.module:function``; None where ``objective`` is a name.

    Raises:
        InputError: there is no such function.
    """
    if isinstance(objective, str):
        return Own(import_function(objective), objective) if ":" in objective else None
    return Own(objective, getattr(objective, "__name__", type(objective).__name__))
