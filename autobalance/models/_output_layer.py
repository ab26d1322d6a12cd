"""The linear layer whose output are a model's logits, and what it is given: found by what they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.models._evaluating import evaluating


@torch.no_grad()
def output_layer(model: nn.Module, x: Tensor) -> nn.Linear:
    """The ``nn.Linear`` whose output are the model's logits.

    Args:
        model: maps inputs to logits (B, K).
        x: some inputs, (B, ...).

    Raises:
        InputError: there is none.
    """
    outputs: list[tuple[nn.Linear, Tensor]] = []
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(lambda layer, _, output: outputs.append((layer, output))) for layer in layers]
    try:
        with evaluating(model):
            logits = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, output in reversed(outputs):
        if output is logits or (output.shape == logits.shape and torch.equal(output, logits)):
            return layer
    raise InputError("the model's logits are not the output of an nn.Linear, which this needs: let it end with one")


@contextmanager
def inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Within it the inputs of each call of a layer are collected: its features, (B, D)."""
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].detach()))
    try:
        yield seen
    finally:
        hook.remove()
