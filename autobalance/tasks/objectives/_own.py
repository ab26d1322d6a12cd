"""Objectives of the user's own: any function of (logits, target, group)."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from autobalance.common import InputError, import_function
from autobalance.data import Batch

#: What the search minimises: (the model's output, batch) -> scalar.
Objective = Callable[[Tensor, Batch], Tensor]
#: What a user writes: (the model's output, target, group or None) -> scalar.
OwnFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Own:
    """A function of (output, target, group) as an objective.

    Args:
        function: returns a scalar tensor, differentiable in the output; group is None where there are no groups.
        text: what it is called.
    """

    def __init__(self, function: OwnFunction, text: str) -> None:
        self.function, self.text = function, text

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        value: Any = self.function(output, batch.y, batch.group)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise InputError(f"the objective {self.text} gives {got}: it must give one number, as a tensor")
        if output.requires_grad and not value.requires_grad:
            raise InputError(f"the objective {self.text} has no derivative in the model's output: use a smooth "
                             "function of the logits, no argmax and no numpy")  # fmt: skip
        return value.reshape(())

    def metric(self, output: Tensor, batch: Batch) -> float:
        """The value: a function of one's own has no other."""
        return float(self(output, batch))

    def soft_confusion(self, output: Tensor, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """The value: a function of one's own is as soft as it is."""
        return self(output, batch)

    def try_on(self, output: Tensor, batch: Batch) -> None:
        """Sees that the function works.

        Raises:
            InputError: it fails, with the line that does, or gives NaN or infinity.
        """
        try:
            value = self(output, batch).item()
        except InputError:
            raise
        except Exception as error:  # whatever a function of the user's own may raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"the objective {self.text} fails on (logits, target, group), group being "
                f"{'None' if batch.group is None else 'numbers'} here, at {Path(place.filename).name}, "
                f"line {place.lineno}: {reason}"
            ) from error
        if not math.isfinite(value):
            why = ", and group is None" if batch.group is None else ""
            raise InputError(f"the objective {self.text} is {value} on the validation samples where all logits are 0"
                             f"{why}: it must be finite; look for a mean over no samples")  # fmt: skip


def own(objective: str | Callable[..., Any]) -> Own | None:
    """The objective of a function or of ``package.module:function``; None where ``objective`` is a name.

    Raises:
        InputError: there is no such function.
    """
    if isinstance(objective, str):
        return Own(import_function(objective), objective) if ":" in objective else None
    return Own(objective, getattr(objective, "__name__", type(objective).__name__))
