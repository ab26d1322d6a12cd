"""Optimisers made of others: one for each group of parameters, and gradient clipping in front of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS, Optimiser, OptimiserAbilities, Slots, Tensors


@dataclass(frozen=True)
class Groups(Optimiser):
    """Another optimiser, or the same with other options, for each group of parameters.

    Where one of the `RECIPE_PARAMETERS` in ``hyper`` has one entry a group, each group is given its own.

    Args:
        parts: (parameter names, optimiser) for each group; every parameter is in exactly one.
    """

    parts: tuple[tuple[frozenset[str], Optimiser], ...]

    @property
    def abilities(self) -> OptimiserAbilities:
        """See `Optimiser`."""
        each = [optimiser.abilities for _, optimiser in self.parts]
        found = [name for name in RECIPE_PARAMETERS if any(name in own.recipe_parameters for own in each)]
        return OptimiserAbilities(
            "an optimiser for each parameter group",
            tuple(found),
            linear=all(own.linear for own in each),
            rests=all(own.rests for own in each),
        )

    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """See `Optimiser`.

        Raises:
            ValueError: a parameter is in no group or in several, or a group names one that does not exist.
        """
        for name in {*parameters, *(n for names, _ in self.parts for n in names)}:
            times = sum(name in names for names, _ in self.parts)
            if name not in parameters or times != 1:
                where = "is not trained" if name not in parameters else f"is in {times} groups instead of one"
                raise ValueError(f"parameter {name!r} {where}")
        slots: Slots = {}
        for names, optimiser in self.parts:
            _merge(slots, optimiser.init(_only(parameters, names)))
        return slots

    def update(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        slots: Slots,
        step: int,
        hyper: Mapping[str, Tensor],
    ) -> tuple[Tensors, Slots]:
        """See `Optimiser`."""
        new: Tensors = {}
        memory: Slots = {}
        for number, (names, optimiser) in enumerate(self.parts):
            mine = {slot: _only(tensors, names) for slot, tensors in slots.items()}
            part, part_memory = optimiser.update(
                _only(parameters, names), _only(gradients, names), mine, step, _of_group(hyper, number)
            )
            new |= part
            _merge(memory, part_memory)
        return {name: new[name] for name in parameters}, memory

    def residual(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], hyper: Mapping[str, Tensor]
    ) -> Tensors:
        """See `Optimiser`."""
        found: Tensors = {}
        for number, (names, optimiser) in enumerate(self.parts):
            found |= optimiser.residual(_only(parameters, names), _only(gradients, names), _of_group(hyper, number))
        return {name: found[name] for name in parameters}


@dataclass(frozen=True)
class Clipped(Optimiser):
    """Scales the gradient of all parameters together down to a largest norm c, then steps.

        g ← g min(1, c / (|g| + 1e-6)),    as ``torch.nn.utils.clip_grad_norm_``

    Where training comes to rest is moved by it, unless the gradients of all batches are small there.

    Args:
        optimiser: takes the step.
        max_norm: c.
        apart: whether the parameters are those of models side by side, with a first dimension of models: each model's
            gradient is then scaled by its own norm.
    """

    optimiser: Optimiser
    max_norm: float
    apart: bool = False

    @property
    def abilities(self) -> OptimiserAbilities:
        """See `Optimiser`."""
        own = self.optimiser.abilities
        return OptimiserAbilities(f"{own.title} with clipped gradients", own.recipe_parameters)

    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """See `Optimiser`."""
        return self.optimiser.init(parameters)

    def update(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        slots: Slots,
        step: int,
        hyper: Mapping[str, Tensor],
    ) -> tuple[Tensors, Slots]:
        """See `Optimiser`."""
        norms = [g.reshape(len(g), -1).norm(dim=1) if self.apart else g.norm() for g in gradients.values()]
        factor = (self.max_norm / (torch.stack(norms).norm(dim=0) + 1e-6)).clamp(max=1.0)
        clipped = {n: g * factor.view(*factor.shape, *[1] * (g.dim() - factor.dim())) for n, g in gradients.items()}
        return self.optimiser.update(parameters, clipped, slots, step, hyper)

    def side_by_side(self) -> Clipped:
        """See `Optimiser`."""
        return replace(self, optimiser=self.optimiser.side_by_side(), apart=True)


def _only(tensors: Mapping[str, Tensor], names: frozenset[str]) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name in names}


def _merge(slots: Slots, more: Slots) -> None:
    for slot, tensors in more.items():
        slots.setdefault(slot, {}).update(tensors)


def _of_group(hyper: Mapping[str, Tensor], number: int) -> Tensors:
    searched = [name for name in RECIPE_PARAMETERS.values() if name in hyper]
    return {name: hyper[name][number] if hyper[name].dim() else hyper[name] for name in searched}
