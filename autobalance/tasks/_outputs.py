"""What trained models answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.data import Samples
from autobalance.models import evaluating


@torch.no_grad()
def outputs(model: nn.Module, samples: Samples, batch_size: int = 2048) -> Tensor:
    """What a model in evaluation mode answers, (N, ...); the mode of each layer is as before afterwards."""
    with evaluating(model):
        return torch.cat([model(batch.x) for batch in samples.batches(batch_size)])


def predict(model: nn.Module, samples: Samples, batch_size: int = 2048) -> Tensor:
    """The predicted classes, (N,), of a model in evaluation mode; the mode of each layer is as before afterwards."""
    return outputs(model, samples, batch_size).argmax(1)
