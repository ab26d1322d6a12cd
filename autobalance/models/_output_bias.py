"""The bias of a model's output: found by what it does, and started at other numbers than the model draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from autobalance.common import InputError
from autobalance.models._evaluating import evaluating


@torch.no_grad()
def output_bias(model: nn.Module, x: Tensor) -> tuple[nn.Module, str] | None:
    """The layer, and the name of its parameter, that is added to the logits; None where the model has none.

    A parameter with K numbers is changed by d, and it is the one if the logits change by d too, whatever the inputs.

    Args:
        model: maps inputs to logits (B, K); left as it is.
        x: some inputs, (B, ...).
    """
    with evaluating(model):
        before = model(x)
        for layer in model.modules():
            for name, parameter in layer.named_parameters(recurse=False):
                if parameter.shape != before.shape[1:] or not parameter.requires_grad:
                    continue
                shift, kept = torch.linspace(0.5, 1.5, len(parameter)).to(parameter), parameter.clone()
                parameter.add_(shift)
                after = model(x)
                parameter.copy_(kept)
                if torch.allclose(after - before, shift.expand_as(before), rtol=1e-3, atol=1e-3):
                    return layer, name
    return None


class _Plus(nn.Module):
    """Adds fixed numbers to a parameter."""

    number: Tensor

    def __init__(self, number: Tensor) -> None:
        super().__init__()
        self.register_buffer("number", number)

    def forward(self, parameter: Tensor) -> Tensor:
        return parameter + self.number


@contextmanager
def started_at(model: nn.Module, x: Tensor, bias: Tensor | None) -> Iterator[None]:
    """Within it the model's output has ``bias`` added, and its weight decay pulls towards that instead of zero. What
    the output's bias is in the end stays.

    Args:
        model: changed in place.
        x: some inputs, by which the output's bias is found.
        bias: (K,); None: nothing is done.

    Raises:
        InputError: the model's output has no bias.
    """
    if bias is None:
        yield
        return
    layer, name = _output_bias(model, x)
    parametrize.register_parametrization(layer, name, _Plus(bias.to(getattr(layer, name)).clone()))
    try:
        yield
    finally:
        parametrize.remove_parametrizations(layer, name, leave_parametrized=True)


@torch.no_grad()
def start_at(model: nn.Module, x: Tensor, bias: Tensor | None) -> None:
    """Adds ``bias``, (K,), to that of the model's output, in place; None: nothing is done.

    Raises:
        InputError: the model's output has no bias.
    """
    if bias is not None:
        layer, name = _output_bias(model, x)
        getattr(layer, name).add_(bias.to(getattr(layer, name)))


def _output_bias(model: nn.Module, x: Tensor) -> tuple[nn.Module, str]:
    if (found := output_bias(model, x)) is None:
        raise InputError(
            "the loss starts the bias of the model's output, and this model's output has none: give its last layer a "
            "bias, or take `start_bias` out of the loss"
        )
    return found
