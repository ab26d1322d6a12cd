"""Whether a model can be trained at all: asked before anything takes time."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.training._targets import SeesTargets


def check_model(model: nn.Module, batch: Batch, width: int) -> None:
    """Refuses a model that cannot be trained, or through whose training no hypergradient can go.

    Args:
        model: left as it is.
        batch: some samples, on its device.
        width: K, how many numbers it has to answer with a sample.

    Raises:
        InputError: it fails on the samples, answers with another number, has nothing to train, weights that are not
            finite, or random numbers that torch does not draw.
    """
    check_module(model)
    parameters = dict(model.named_parameters())
    if not any(parameter.requires_grad for parameter in parameters.values()):
        what = f"all {len(parameters)} parameters are frozen (requires_grad is False)"
        raise InputError(f"the model has nothing to train: {what}; let gradients reach those that shall be trained")
    for name, tensor in (*parameters.items(), *model.named_buffers()):
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"the model's {name} holds numbers that are not finite before any training: look at how it is "
                "initialised, or at the file that it was loaded from"
            )
    try:
        first, again = _answer(model, batch), _answer(model, batch)
    except RuntimeError as error:
        shape, reason = tuple(batch.x.shape[1:]), " ".join(str(error).split())
        raise InputError(f"the model fails on samples of shape {shape}, {batch.x.dtype}: {reason}") from error
    if not isinstance(first, Tensor):
        raise InputError(f"the model answers with a {type(first).__name__}; it has to be a tensor, (B, {width})")
    if first.numel() != len(batch.y) * width:
        raise InputError(f"the model answers {len(batch.y)} samples with {tuple(first.shape)}, not with (B, {width})")
    if first.shape == again.shape and not torch.allclose(first, again, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise InputError(
            "the model answers the same samples differently after the same torch.manual_seed: draw its random numbers "
            "with torch alone, for hypergradients replay training steps, and resumed runs repeat them"
        )


def check_module(model: object) -> None:
    """Refuses what is no module, or one without parameters.

    Raises:
        InputError: says what it is.
    """
    if not isinstance(model, nn.Module):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise InputError(f"the model is {what}; it has to be an nn.Module, such as nn.Linear(20, 3)")
    if next(model.parameters(), None) is None:
        raise InputError("the model has nothing to train: no parameters")


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
