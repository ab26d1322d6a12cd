"""What an inner optimiser is: a pure update that can be differentiated, and a few list operations to write one with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
#: What an optimiser remembers: by kind (momentum, ...), then by parameter name.
Slots = dict[str, Tensors]
#: A learning rate: a number, or a function of the number of steps taken so far.
Rate = float | Callable[[int], float]

#: Hyper-parameters of the training recipe rather than of the loss: log factors on the learning rate and on the weight
#: decay, both 0 where nothing is changed. With `Groups` each may have one entry a group.
RATES = ("log_lr", "log_weight_decay")


class Optimiser(Protocol):
    """One training step's change of the weights, as a function without side effects.

    Autograd differentiates ``update`` wherever gradients are enabled; `inner_step` calls it with them off.
    Two attributes are optional. ``linear = True``, where the result is linear in the gradient, spares `Replay` copies
    of the gradients. ``elementwise = True``, where each number of the result depends on the same number of the
    arguments alone, lets all parameters go through as one.
    """

    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """What is remembered before the first step."""

    def update(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        slots: Slots,
        step: int,
        hyper: Mapping[str, Tensor],
    ) -> tuple[Tensors, Slots]:
        """New parameters and memory. The old tensors stay as they were.

        Args:
            parameters, gradients: by name, in the same order.
            slots: as ``init`` or the last ``update`` made them.
            step: number of steps taken before.
            hyper: read for `RATES`, other entries are for the loss.
        """

    def residual(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], hyper: Mapping[str, Tensor]
    ) -> Tensors:
        """What vanishes where training comes to rest: the gradient with the weight decay, g + λ θ.

        Raises:
            ValueError: where training comes to rest is not where such a sum vanishes (AdamW).
        """


def keeps_gradient(optimiser: Optimiser, hyper: Mapping[str, Tensor]) -> bool:
    """Whether the derivatives of a step depend on the gradient that it took."""
    return "log_lr" in hyper or not getattr(optimiser, "linear", False)


def update_adjoint(
    optimiser: Optimiser,
    parameters: Tensors,
    gradients: Tensors | None,
    slots: Slots,
    step: int,
    hyper: Mapping[str, Tensor],
    of_parameters: Tensors,
    of_slots: Slots,
) -> tuple[Tensors, Tensors, Tensors, Slots]:
    """An optimiser's step backwards.

    Args:
        parameters, gradients, slots, step, hyper: what ``update`` was given; no gradients where the derivatives do not
            depend on them (`keeps_gradient`).
        of_parameters, of_slots: adjoints of the weights and of the memory after the step.

    Returns:
        the adjoints of hyper, gradients, parameters and slots.
    """
    if getattr(optimiser, "elementwise", False) and len({(p.dtype, p.device) for p in parameters.values()}) == 1:
        whole = _Joined(parameters)
        found = _update_adjoint(
            optimiser,
            whole.join(parameters),
            None if gradients is None else whole.join(gradients),
            {kind: whole.join(values) for kind, values in slots.items()},
            step,
            hyper,
            whole.join(of_parameters),
            {kind: whole.join(values) for kind, values in of_slots.items()},
        )
        of_memory = {kind: whole.split(values) for kind, values in found[3].items()}
        return found[0], whole.split(found[1]), whole.split(found[2]), of_memory
    return _update_adjoint(optimiser, parameters, gradients, slots, step, hyper, of_parameters, of_slots)


class _Joined:
    """All parameters as a single one, and back."""

    def __init__(self, parameters: Tensors) -> None:
        self.like = parameters

    def join(self, tensors: Tensors) -> Tensors:
        return {"": torch.cat([tensors[name].reshape(-1) for name in self.like])}

    def split(self, tensors: Tensors) -> Tensors:
        parts = tensors[""].split([p.numel() for p in self.like.values()])
        return {name: part.view(p.shape) for (name, p), part in zip(self.like.items(), parts, strict=True)}


def _update_adjoint(
    optimiser: Optimiser,
    parameters: Tensors,
    gradients: Tensors | None,
    slots: Slots,
    step: int,
    hyper: Mapping[str, Tensor],
    of_parameters: Tensors,
    of_slots: Slots,
) -> tuple[Tensors, Tensors, Tensors, Slots]:
    if gradients is None:
        gradients = {name: p.new_zeros(()).expand_as(p) for name, p in parameters.items()}
    flat = {"hyper": hyper, "gradients": gradients, "parameters": parameters, **slots}
    at = {kind: {n: x.detach().requires_grad_() for n, x in tensors.items()} for kind, tensors in flat.items()}
    memory = {kind: at[kind] for kind in slots}
    with torch.enable_grad():
        new, new_memory = optimiser.update(at["parameters"], at["gradients"], memory, step, at["hyper"])
    reached = [(value, of_parameters[name]) for name, value in new.items()]
    reached += [(value, of_slots[kind][n]) for kind, values in new_memory.items() for n, value in values.items()]
    outputs, adjoints = zip(*((value, adjoint) for value, adjoint in reached if value.requires_grad), strict=True)
    inputs = [x for tensors in at.values() for x in tensors.values()]
    found = iter(torch.autograd.grad(outputs, inputs, adjoints, materialize_grads=True))
    of = {kind: {name: next(found) for name in tensors} for kind, tensors in at.items()}
    return of["hyper"], of["gradients"], of["parameters"], {kind: of[kind] for kind in slots}


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
