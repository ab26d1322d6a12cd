"""Whether a model can be trained at all: asked before anything takes time."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.training._targets import SeesTargets


def check_model(model: nn.Module, batch: Batch) -> None:
    """Refuses a model that cannot be trained, or through whose training no hypergradient can go.

    Args:
        model: left as it is.
        batch: some samples, on its device.

    Raises:
        InputError: it has nothing to train, weights that are not finite, or random numbers that torch does not draw.
    """
    parameters = dict(model.named_parameters())
    if not any(parameter.requires_grad for parameter in parameters.values()):
        what = (
            f"all {len(parameters)} parameters are frozen (requires_grad is False)" if parameters else "no parameters"
        )
        raise InputError(f"the model has nothing to train: {what}; let gradients reach those that shall be trained")
    for name, tensor in (*parameters.items(), *model.named_buffers()):
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"the model's {name} holds numbers that are not finite before any training: look at how it is "
                "initialised, or at the file that it was loaded from"
            )
    first, again = _answer(model, batch), _answer(model, batch)
    if first.shape == again.shape and not torch.allclose(first, again, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise InputError(
            "the model answers the same samples differently after the same torch.manual_seed: draw its random numbers "
            "with torch alone, for hypergradients replay training steps, and resumed runs repeat them"
        )


@torch.no_grad()
def _answer(model: nn.Module, batch: Batch) -> Tensor:
    """What a copy of the model answers in training mode, with torch's generators as a seed sets them."""
    with torch.random.fork_rng(devices=[batch.x.device] if batch.x.device.type == "cuda" else []):
        torch.manual_seed(0)
        copy = deepcopy(model).train()
        if isinstance(copy, SeesTargets):
            copy.see(batch.y)
        output: Tensor = copy(batch.x)
    return output
