"""Self-supervised pre-training by rotations, SSP (Yang and Xu 2020; Gidaris et al. 2018), before any method."""

from __future__ import annotations

import torch
from torch import nn

from autobalance.data import Samples
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
    turned = torch.cat([torch.rot90(samples.x, turns, (2, 3)) for turns in range(4)])
    turns = torch.arange(4, device=samples.y.device).repeat_interleave(len(samples))
    body.eval()
    with torch.no_grad():
        width = body(samples.x[:2]).shape[1]
    teller = nn.Sequential(body, nn.Linear(width, 4).to(samples.x.device))
    train(teller, Samples(turned, turns), ParametricLoss(4).to(samples.x.device), recipe, seed)
