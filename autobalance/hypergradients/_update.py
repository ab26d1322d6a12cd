"""An optimiser's update backwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS, Optimiser, Slots, Tensors


class Adjoints(NamedTuple):
    """The derivatives of what is differentiated in each argument of an update."""

    hyper: Tensors
    gradients: Tensors
    parameters: Tensors
    slots: Slots


@dataclass(frozen=True)
class Update:
    """An update that was made.

    Args:
        optimiser: that made it.
        parameters, gradients, slots, step, hyper: what its ``update`` was given; no gradients where the derivatives do
            not depend on them (`keeps_gradient`).
    """

    optimiser: Optimiser
    parameters: Tensors
    gradients: Tensors | None
    slots: Slots
    step: int
    hyper: Mapping[str, Tensor]

    def back(self, of_parameters: Tensors, of_slots: Slots) -> Adjoints:
        """The update backwards, from the adjoints of the weights and of the memory after it."""
        if self.optimiser.abilities.combines and not any(name in self.hyper for name in RECIPE_PARAMETERS.values()):
            return self._back_by_factors(of_parameters, of_slots)
        one_kind = len({(p.dtype, p.device) for p in self.parameters.values()}) == 1
        if not (self.optimiser.abilities.elementwise and one_kind):
            return self._back(of_parameters, of_slots)
        whole = _Joined(self.parameters)
        joined = replace(
            self,
            parameters=whole.join(self.parameters),
            gradients=None if self.gradients is None else whole.join(self.gradients),
            slots={kind: whole.join(values) for kind, values in self.slots.items()},
        )
        found = joined._back(whole.join(of_parameters), {kind: whole.join(values) for kind, values in of_slots.items()})
        slots = {kind: whole.split(values) for kind, values in found.slots.items()}
        return Adjoints(found.hyper, whole.split(found.gradients), whole.split(found.parameters), slots)

    def _back_by_factors(self, of_parameters: Tensors, of_slots: Slots) -> Adjoints:
        """Each adjoint is a combination of those after the update, whose factors are the derivatives for one number."""
        after = {"parameters": of_parameters, **of_slots}
        one = {"": torch.zeros(1, dtype=torch.float64)}
        number = replace(self, parameters=one, gradients=one, slots=dict.fromkeys(self.slots, one))
        total: dict[str, list[Tensor]] = {}
        for kind, adjoints in after.items():
            unit = {other: {"": torch.full((1,), float(other == kind), dtype=torch.float64)} for other in after}
            found = number._back(unit.pop("parameters"), unit)
            factors = {"gradients": found.gradients, "parameters": found.parameters, **found.slots}
            for of, factor in factors.items():
                value = factor[""].item()
                if of not in total:
                    total[of] = list(torch._foreach_mul([adjoints[name] for name in of_parameters], value))
                elif value:
                    torch._foreach_add_(total[of], [adjoints[name] for name in of_parameters], alpha=value)
        named = {of: dict(zip(of_parameters, values, strict=True)) for of, values in total.items()}
        nothing = {name: torch.zeros_like(value) for name, value in self.hyper.items()}
        gradients, parameters = named.pop("gradients"), named.pop("parameters")
        return Adjoints(nothing, gradients, parameters, named)

    def _back(self, of_parameters: Tensors, of_slots: Slots) -> Adjoints:
        gradients = self.gradients
        if gradients is None:
            gradients = {name: p.new_zeros(()).expand_as(p) for name, p in self.parameters.items()}
        flat = {"hyper": self.hyper, "gradients": gradients, "parameters": self.parameters, **self.slots}
        at = {kind: {n: x.detach().requires_grad_() for n, x in tensors.items()} for kind, tensors in flat.items()}
        memory = {kind: at[kind] for kind in self.slots}
        with torch.enable_grad():
            new, new_memory = self.optimiser.update(at["parameters"], at["gradients"], memory, self.step, at["hyper"])
        reached = [(value, of_parameters[name]) for name, value in new.items()]
        reached += [(value, of_slots[kind][n]) for kind, values in new_memory.items() for n, value in values.items()]
        outputs, adjoints = zip(*((value, adjoint) for value, adjoint in reached if value.requires_grad), strict=True)
        inputs = [x for tensors in at.values() for x in tensors.values()]
        found = iter(torch.autograd.grad(outputs, inputs, adjoints, materialize_grads=True))
        of = {kind: {name: next(found) for name in tensors} for kind, tensors in at.items()}
        return Adjoints(of["hyper"], of["gradients"], of["parameters"], {kind: of[kind] for kind in self.slots})


def keeps_gradient(optimiser: Optimiser, hyper: Mapping[str, Tensor]) -> bool:
    """Whether the derivatives of a step depend on the gradient that it took."""
    return "log_lr" in hyper or not optimiser.abilities.linear


class _Joined:
    """All parameters as a single one, and back."""

    def __init__(self, parameters: Tensors) -> None:
        self.like = parameters

    def join(self, tensors: Tensors) -> Tensors:
        return {"": torch.cat([tensors[name].reshape(-1) for name in self.like])}

    def split(self, tensors: Tensors) -> Tensors:
        parts = tensors[""].split([p.numel() for p in self.like.values()])
        return {name: part.view(p.shape) for (name, p), part in zip(self.like.items(), parts, strict=True)}
