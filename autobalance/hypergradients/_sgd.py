"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.hypergradients._lists import decay_at, plus, rate_at, scaled, searchable, with_decay
from autobalance.hypergradients._optimiser import Optimiser, OptimiserAbilities, Rate, Slots, Tensors


@dataclass(frozen=True)
class SGD(Optimiser):
    """The update of ``torch.optim.SGD`` with momentum μ, dampening τ, decay λ and step η:

        d = g + λ θ;  v ← μ v + (1 - τ) d  (v ← d in the first step);  θ ← θ - η (d + μ v)  (Nesterov)  or  θ - η v

    Decoupled decay leaves λ θ out of d and adds it last: θ ← θ - η (v + λ θ) (SGDW, Loshchilov & Hutter 2019).

    Args:
        lr: η, a number, or a function of the number of steps taken so far.
        momentum: μ.
        nesterov: look ahead by the momentum; needs μ > 0 and no dampening.
        weight_decay: λ.
        dampening: τ.
        decoupled: whether the decay by-passes the momentum.
    """

    lr: Rate = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    dampening: float = 0.0
    decoupled: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum <= 0 or self.dampening):
            raise ValueError("nesterov needs momentum above 0 and no dampening")
        if self.dampening and not self.momentum:
            raise ValueError("dampening has no effect without momentum")
        if self.decoupled and not self.weight_decay:
            raise ValueError("decoupled has no effect without weight decay")

    @property
    def abilities(self) -> OptimiserAbilities:
        """See `Optimiser`."""
        return OptimiserAbilities(
            "SGD with decoupled decay" if self.decoupled else "SGD",
            searchable(self.weight_decay),
            linear=True,
            elementwise=True,
            combines=True,
            rests=True,
            plain_sgd=not self.decoupled,
        )

    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """v = 0 for each parameter; nothing without momentum."""
        return {"momentum": {name: torch.zeros_like(p) for name, p in parameters.items()}} if self.momentum else {}

    def update(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        slots: Slots,
        step: int,
        hyper: Mapping[str, Tensor],
    ) -> tuple[Tensors, Slots]:
        """See `Optimiser`."""
        old = list(parameters.values())
        direction = with_decay(parameters, gradients, 0.0 if self.decoupled else self.weight_decay, hyper)
        new_slots: Slots = {}
        if self.momentum:
            velocity = direction
            if step > 0 or not self.dampening:
                velocity = scaled([slots["momentum"][name] for name in parameters], self.momentum)
                velocity = plus(velocity, direction, 1 - self.dampening)
            new_slots["momentum"] = dict(zip(parameters, velocity, strict=True))
            direction = plus(direction, velocity, self.momentum) if self.nesterov else velocity
        if self.decoupled:
            direction = plus(direction, old, decay_at(self.weight_decay, hyper))
        new = plus(old, direction, -rate_at(self.lr, step, hyper))
        return dict(zip(parameters, new, strict=True)), new_slots

    def residual(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], hyper: Mapping[str, Tensor]
    ) -> Tensors:
        """See `Optimiser`: g + λ θ, however the decay is applied."""
        return dict(zip(parameters, with_decay(parameters, gradients, self.weight_decay, hyper), strict=True))
