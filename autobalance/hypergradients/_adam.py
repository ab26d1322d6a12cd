"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.hypergradients._lists import decay_at, plus, rate_at, scaled, searchable, with_decay
from autobalance.hypergradients._optimiser import Optimiser, OptimiserAbilities, Rate, Slots, Tensors


@dataclass(frozen=True)
class Adam(Optimiser):
    """The update of ``torch.optim.Adam``, or of ``torch.optim.AdamW`` where the decay is decoupled:

        d = g + λ θ;  m ← β₁ m + (1 - β₁) d;  v ← β₂ v + (1 - β₂) d²;  θ ← θ - η (m / c₁) / (sqrt(v / c₂) + ε)

    with c_i = 1 - β_i^t (bias correction) or 1; decoupled: d = g and θ ← θ - η (... + λ θ).
    A weight whose gradients have all been exactly zero has v = 0, where the root has no derivative but the update
    has: its derivative through v is zero there, because m is zero too.

    Sources: Kingma & Ba 2015; Loshchilov & Hutter 2019 (AdamW).

    Args:
        lr: η, a number, or a function of the number of steps taken so far.
        betas: β₁, β₂.
        eps: ε.
        weight_decay: λ.
        decoupled: whether the decay by-passes the moments (AdamW).
        bias_correction: whether the moments are divided by c₁, c₂.
    """

    lr: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    bias_correction: bool = True

    def __post_init__(self) -> None:
        if self.decoupled and not self.weight_decay:
            raise ValueError("decoupled has no effect without weight decay")

    @property
    def abilities(self) -> OptimiserAbilities:
        """See `Optimiser`."""
        title, parameters = "AdamW" if self.decoupled else "Adam", searchable(self.weight_decay)
        return OptimiserAbilities(title, parameters, elementwise=True, rests=not self.decoupled)

    def init(self, parameters: Mapping[str, Tensor]) -> Slots:
        """m = v = 0 for each parameter."""
        return {slot: {n: torch.zeros_like(p) for n, p in parameters.items()} for slot in ("mean", "square")}

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
        first, second = self.betas
        mean = plus(scaled([slots["mean"][n] for n in parameters], first), direction, 1 - first)
        square = scaled([slots["square"][n] for n in parameters], second)
        square = plus(square, [d * d for d in direction], 1 - second)
        of_mean, of_square = 1.0, 1.0
        if self.bias_correction:
            of_mean, of_square = 1 - first ** (step + 1), 1 - second ** (step + 1)
        below = scaled([_root(v) for v in square], of_square**-0.5)
        change = [m / of_mean / (b + self.eps) for m, b in zip(mean, below, strict=True)]
        if self.decoupled:
            change = plus(change, old, decay_at(self.weight_decay, hyper))
        new = plus(old, change, -rate_at(self.lr, step, hyper))
        memory = {
            "mean": dict(zip(parameters, mean, strict=True)),
            "square": dict(zip(parameters, square, strict=True)),
        }
        return dict(zip(parameters, new, strict=True)), memory

    def residual(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], hyper: Mapping[str, Tensor]
    ) -> Tensors:
        """See `Optimiser`. Decoupled decay balances the normalised gradient, which depends on the noise, instead."""
        if self.decoupled:
            return super().residual(parameters, gradients, hyper)
        return dict(zip(parameters, with_decay(parameters, gradients, self.weight_decay, hyper), strict=True))


def _root(square: Tensor) -> Tensor:
    """The square root, with derivative 0 instead of infinity at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
