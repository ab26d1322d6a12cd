"""Self-supervised pre-training by rotations, SSP (Yang and Xu 2020; Gidaris et al. 2018), before any method."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.data import Batch, Samples
from autobalance.losses import ParametricLoss
from autobalance.training import Recipe, train


def pretrain_by_rotations(model: nn.Module, samples: Samples, recipe: Recipe, seed: int) -> None:
    """Trains the model's body to tell by how many quarter turns an image was rotated; labels are not used.

    Every image is shown in all four positions each epoch. The head that tells the rotations is thrown away.

    Args:
        model: a `FeatureModel` for square images, changed in place; its head stays as it is.
        samples: the images, (N, C, H, H).
        recipe: its epochs are those of the pre-training.
        seed: of the order.
    """
    body = model.body
    assert isinstance(body, nn.Module)
    body.eval()
    with torch.no_grad():
        width = body(samples.first(2)).shape[1]
    teller = nn.Sequential(body, nn.Linear(width, 4).to(samples.device))
    train(teller, Turned.of(samples), ParametricLoss(4).to(samples.device), recipe, seed)


class Turned(Samples):
    """Four samples for each of N images: sample kN + i is image i after k quarter turns, its class is k."""

    @classmethod
    def of(cls, samples: Samples) -> Turned:
        return cls(samples.x, torch.arange(4, device=samples.device).repeat_interleave(len(samples)))

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Batch:
        number = len(self) // 4
        x = Samples(self.x, self.y[:number]).take(index % number, crops).x
        turns = self.y[index]
        for quarter in range(1, 4):
            x = torch.where((turns == quarter)[:, None, None, None], torch.rot90(x, quarter, (2, 3)), x)
        return Batch(x, turns)
