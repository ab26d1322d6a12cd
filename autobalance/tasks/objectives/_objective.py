"""What every objective can do."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from autobalance.data import Batch


@runtime_checkable
class Objective(Protocol):
    """What a search makes small, and what its outcome is judged by.

    Attributes:
        text: as it was written.
    """

    text: str

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        """The differentiable value, a scalar."""

    def soft_confusion(self, output: Tensor, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """The differentiable value, a scalar, that comes near the metric as both its temperatures go to 0, see
        `Blend.soft_confusion`."""

    def metric(self, output: Tensor, batch: Batch) -> float:
        """What candidates are compared by; smaller is better."""

    def figures(self, output: Tensor, batch: Batch) -> dict[str, Any]:
        """What a test reports: ``objective``, the metric, and what belongs to it."""
