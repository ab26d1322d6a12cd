"""A head that answers in the unit of the targets."""

from __future__ import annotations

from torch import Tensor, nn


class Rescale(nn.Module):
    """``centre + spread * z``: the model learns numbers about zero and answers in the unit of the targets.

    Args:
        centre, spread: mean and standard deviation of the training targets.
    """

    def __init__(self, centre: float, spread: float) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread

    def forward(self, z: Tensor) -> Tensor:
        return self.centre + self.spread * z

    def extra_repr(self) -> str:
        return f"centre={self.centre:.4g}, spread={self.spread:.4g}"
