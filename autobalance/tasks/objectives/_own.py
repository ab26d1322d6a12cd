"""Objectives of the user's own: any function of (output, target, group) or of the confusion matrix."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from autobalance.common import InputError, import_function
from autobalance.data import Batch
from autobalance.tasks.metrics import Confusion, Context, Outputs, Seen, exact_matrix, predicted, soft_matrix
from autobalance.tasks.objectives._blend import known

#: What a user writes: (the model's output, target, group or None) -> scalar, or see `Own`.
OwnFunction = Callable[..., Tensor]

#: Parameters by whose names a function is known to be one of the confusion matrix.
_TABLES = ("confusion", "rates", "shares")


class Own:
    """A function of one's own as an objective; it returns a scalar tensor, small where it is good, differentiable.

    Args:
        function: of (output, target, group), group being None where there are no groups; or, where its parameters are
            called so, of any of ``confusion``, the confusion matrix as shares of the samples, (K, K), rows true and
            columns predicted classes; ``rates``, the same with rows that sum to 1 (0 for a class without samples); and
            ``shares`` of the classes, (K,). With groups they are (K, K, G) and (K, G).
        text: what it is called.
        context: of the samples; None: what each batch tells of a classification.
    """

    def __init__(self, function: OwnFunction, text: str, context: Context | None = None) -> None:
        self.function, self.text, self.context = function, text, context
        self.tables = _tables(function)
        if self.tables and context is not None and context.bin_edges is not None:
            raise InputError(f"the objective {text} is one of a confusion matrix, which numbers do not have")

    def __call__(self, output: Outputs, batch: Batch) -> Tensor:
        return self.soft_confusion(output, batch)

    def soft_confusion(self, output: Outputs, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """Of a soft confusion matrix where the function is one of that; else as soft as it is."""
        if self.tables:
            matrix = soft_matrix(output, batch, self.context or Context.of(output, batch), temperature)
            value: Any = self._of(matrix)
        else:
            value = self.function(output, batch.y, batch.group)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise InputError(f"the objective {self.text} gives {got}: it must give one number, as a tensor")
        if isinstance(output, Tensor) and output.requires_grad and not value.requires_grad:
            raise InputError(f"the objective {self.text} has no derivative in the model's output: use a smooth "
                             "function of the logits, no argmax and no numpy")  # fmt: skip
        return value.reshape(())

    def metric(self, output: Outputs, batch: Batch) -> float:
        """The value of the exact confusion matrix; a function of (output, target, group) has no other value."""
        if self.tables:
            return float(self._of(exact_matrix(output, batch, self.context or Context.of(output, batch))))
        return float(self(output, batch))

    def looked_at(self, output: Seen) -> Tensor | Seen:
        """See `Objective`."""
        return predicted(output) if self.tables and self.context is not None else output

    def figures(self, output: Outputs, batch: Batch) -> dict[str, Any]:
        """What a test reports: ``objective``, the metric; None where the samples tell nothing."""
        return {"objective": known(self.metric(output, batch))}

    def try_on(self, output: Outputs, batch: Batch) -> None:
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
            group = f", group being {'None' if batch.group is None else 'numbers'} here,"
            given = f"({', '.join(self.tables)})" if self.tables else f"(logits, target, group){group}"
            raise InputError(f"the objective {self.text} fails on {given} at {Path(place.filename).name}, "
                             f"line {place.lineno}: {reason}") from error  # fmt: skip
        if not math.isfinite(value):
            why = ", and group is None" if batch.group is None and not self.tables else ""
            raise InputError(f"the objective {self.text} is {value} on the validation samples where all logits are 0"
                             f"{why}: it must be finite; look for a mean over no samples")  # fmt: skip

    def _of(self, matrix: Confusion) -> Any:
        flat = matrix.cells.shape[1] == 1
        confusion, shares = matrix.table(), matrix.cells
        least = shares.new_tensor(1e-30)
        given = {
            "confusion": confusion,
            "rates": confusion / shares[:, None].clamp_min(least),
            "shares": shares,
        }
        return self.function(**{name: given[name].squeeze(-1) if flat else given[name] for name in self.tables})


def own(objective: str | Callable[..., Any], context: Context | None = None) -> Own | None:
    """The objective of a function or of ``package.module:function``; None where ``objective`` is another text.

    Raises:
        InputError: there is no such function.
    """
    if isinstance(objective, str):
        named = ":" in objective and not set(objective) & set("()<>+*")
        return Own(import_function(objective), objective, context) if named else None
    return Own(objective, getattr(objective, "__name__", type(objective).__name__), context)


def _tables(function: OwnFunction) -> tuple[str, ...]:
    """Which parts of the confusion matrix a function asks for; none where it is one of the outputs."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a function that does not tell
        return ()
    return tuple(names) if names and set(names) <= set(_TABLES) else ()
