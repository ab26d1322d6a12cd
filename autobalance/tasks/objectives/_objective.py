"""What every objective can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics import Outputs, Seen


@runtime_checkable
class Objective(Protocol):
    """What a search makes small, and what its outcome is judged by.

    Attributes:
        text: as it was written.
    """

    text: str

    def __call__(self, output: Outputs, batch: Batch) -> Tensor:
        """The differentiable value, a scalar."""

    def soft_confusion(self, output: Outputs, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """The differentiable value, a scalar, that comes near the metric as both its temperatures go to 0, see
        `Blend.soft_confusion`."""

    def metric(self, output: Outputs, batch: Batch) -> float:
        """What candidates are compared by; smaller is better. Takes what `looked_at` gives in place of the output."""

    def looked_at(self, output: Seen) -> Tensor | Seen:
        """All that `metric` looks at of the output, sample by sample: the predicted classes, (N,), or the output."""

    def figures(self, output: Outputs, batch: Batch) -> dict[str, Any]:
        """What a test reports: ``objective``, the metric, and what belongs to it."""


@dataclass(frozen=True, order=True)
class Standing:
    """How outputs stand by an objective. Of two the smaller is better: first what violates constraints less, and of
    those that violate them alike (or not at all) what has the smaller figure.

    Args:
        violation: by how much the constraints are violated, summed; 0 where they are met or there are none.
        figure: the exact metric, of an objective with constraints that of what is made small.
        constraints: by its text, each constraint's exact ``value`` as it was written and its ``violation``.
    """

    violation: float
    figure: float
    constraints: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict, compare=False)

    @property
    def met(self) -> bool:
        """Whether all constraints are."""
        return self.violation == 0
