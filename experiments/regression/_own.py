"""Components of one's own in a plan, ``package.module:function``, for the parts of a method that can be any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError, import_function
from autobalance.data import Samples
from autobalance.losses import Loss

#: What the function of each part is called with and gives.
SIGNATURES: Mapping[str, str] = {
    "weight": "(targets, bin_edges) -> a loss, called as loss(prediction, target)",
    "layer": "(number of features) -> an nn.Module from (B, D) to (B, D)",
    "data": "(x, y, seed) -> x, y",
}


class OwnLoss(Loss):
    """Any function of (prediction, target), each (B,), as a loss of the package."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(
        self, prediction: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        return self.function(prediction.flatten(), target.flatten())


def own_loss(source: str, targets: Tensor, bin_edges: Tensor) -> Loss:
    """The loss that the function makes of the training targets, (N,), and the edges of their bins, (K + 1,)."""
    made = import_function(source)(targets, bin_edges)
    if not callable(made):
        raise InputError(f"{source} returns a {type(made).__name__}: for the part weight it is {SIGNATURES['weight']}")
    return made if isinstance(made, Loss) else OwnLoss(made)


def own_samples(source: str, samples: Samples, seed: int) -> Samples:
    """What the function makes of the training samples: NumPy arrays in, arrays or tensors out."""
    given = samples.x
    if not isinstance(given, Tensor):
        raise InputError(f"{source} is handed the samples in memory; these images are read from files batch by batch")
    made: Any = import_function(source)(given.cpu().numpy(), samples.y.cpu().numpy(), seed)
    if not isinstance(made, tuple) or len(made) != 2 or len(made[0]) != len(made[1]):
        raise InputError(f"{source} returns no x and y of one length: for the part data it is {SIGNATURES['data']}")
    x, y = (torch.as_tensor(part) for part in made)
    if x.shape[1:] != given.shape[1:] or not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise InputError(f"{source} returns samples of another shape, or with values that are not finite")
    return Samples(x.to(given), y.to(samples.y))
