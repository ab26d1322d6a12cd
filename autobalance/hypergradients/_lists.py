"""A few list operations to write an optimiser's update with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.hypergradients._optimiser import Rate


def rate_at(rate: Rate, step: int, hyper: Mapping[str, Tensor]) -> float | Tensor:
    """The learning rate of a step, times exp(log_lr) where that is searched."""
    value = rate(step) if callable(rate) else rate
    return value * hyper["log_lr"].exp() if "log_lr" in hyper else value


def decay_at(decay: float, hyper: Mapping[str, Tensor]) -> float | Tensor:
    """The weight decay, times exp(log_weight_decay) where that is searched."""
    return decay * hyper["log_weight_decay"].exp() if decay and "log_weight_decay" in hyper else decay


# Without gradients the lists go through in one call. With them not: torch 2.14's list functions fail in their backward
# pass ("inconsistent range for TensorList output") where one list enters twice.


def scaled(x: list[Tensor], factor: float | Tensor) -> list[Tensor]:
    """factor * x, tensor by tensor."""
    if torch.is_grad_enabled():
        return [a * factor for a in x]
    return list(torch._foreach_mul(x, factor))


def plus(x: list[Tensor], y: list[Tensor], factor: float | Tensor) -> list[Tensor]:
    """x + factor * y, tensor by tensor."""
    if torch.is_grad_enabled():
        return [a + factor * b for a, b in zip(x, y, strict=True)]
    if isinstance(factor, Tensor):
        return list(torch._foreach_add(x, torch._foreach_mul(y, factor)))
    return list(torch._foreach_add(x, y, alpha=factor))


def with_decay(
    parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], decay: float, hyper: Mapping[str, Tensor]
) -> list[Tensor]:
    """g + λ θ, in the order of the parameters."""
    found = list(gradients.values())
    return plus(found, list(parameters.values()), decay_at(decay, hyper)) if decay else found


def searchable(decay: float) -> tuple[str, ...]:
    """Of `RECIPE_PARAMETERS`, those that an update with a learning rate and this weight decay depends on."""
    return ("lr", "weight_decay") if decay else ("lr",)
