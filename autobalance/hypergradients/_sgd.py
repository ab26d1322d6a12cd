"""Stochastic gradient descent as a pure function, with its adjoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_HONOURED = {"lr", "momentum", "nesterov", "weight_decay"}
# Options that choose an implementation or whether it is recorded, not what is computed.
_IMMATERIAL = {"foreach", "fused", "differentiable", "params"}


@dataclass(frozen=True)
class SGD:
    """The update of ``torch.optim.SGD`` with momentum μ, decay λ and step η:

        d = g + λ θ;  v ← μ v + d;  θ ← θ - η (d + μ v)  (Nesterov)  or  θ - η v

    Args:
        lr: η, a number, or a function of the number of steps taken so far.
        momentum: μ.
        nesterov: look ahead by the momentum; needs μ > 0.
        weight_decay: λ, coupled (added to the gradient).
    """

    lr: float | Callable[[int], float] = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum <= 0:
            raise ValueError("nesterov needs momentum above 0")

    @classmethod
    def from_torch(cls, optimiser: torch.optim.Optimizer) -> SGD:
        """The same update as a ``torch.optim.SGD`` makes.

        Raises:
            ValueError: another class, several parameter groups, or an option that the hypergradients do not honour
                (``maximize``, ``dampening``): none is ever ignored.
        """
        if type(optimiser) is not torch.optim.SGD:
            raise ValueError(f"{type(optimiser).__name__} cannot be differentiated through here; use torch.optim.SGD")
        if len(optimiser.param_groups) != 1:
            raise ValueError(f"{len(optimiser.param_groups)} parameter groups; one is supported")
        options = dict(optimiser.param_groups[0])
        honoured = {name: options.pop(name) for name in _HONOURED}
        for name, value in options.items():
            if name not in _IMMATERIAL and value:
                raise ValueError(f"SGD({name}={value!r}) is not honoured by the hypergradients; leave it out")
        return cls(**honoured)

    def learning_rate(self, step: int) -> float:
        return self.lr(step) if callable(self.lr) else self.lr

    def init(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """v = 0 for each parameter; nothing without momentum."""
        return {name: torch.zeros_like(p) for name, p in parameters.items()} if self.momentum else {}

    @torch.no_grad()
    def update(
        self, parameters: Mapping[str, Tensor], gradients: Sequence[Tensor], momentum: Mapping[str, Tensor], step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """New parameters and momentum; ``gradients`` in the order of ``parameters``. The old tensors stay as they were."""
        names, old, eta = list(parameters), list(parameters.values()), self.learning_rate(step)
        direction = list(gradients)
        if self.weight_decay:
            direction = list(torch._foreach_add(direction, old, alpha=self.weight_decay))
        velocity: list[Tensor] = []
        if self.momentum:
            velocity = list(torch._foreach_mul([momentum[name] for name in names], self.momentum))
            torch._foreach_add_(velocity, direction)
            direction = list(torch._foreach_add(direction, velocity, alpha=self.momentum)) if self.nesterov else velocity
        new = torch._foreach_add(old, direction, alpha=-eta)
        return dict(zip(names, new, strict=True)), dict(zip(names, velocity, strict=False))

    @torch.no_grad()
    def adjoint(
        self, of_parameters: list[Tensor], of_momentum: list[Tensor], step: int
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """One update backwards: from the adjoints after it, a_θ and a_v, to those before it.

        Returns:
            the adjoint of the gradient g (to be multiplied by second derivatives of the loss), of θ by all ways but
            through g, and of v.
        """
        eta = self.learning_rate(step)
        if not self.momentum:
            of_direction = list(torch._foreach_mul(of_parameters, -eta))
            of_velocity: list[Tensor] = []
        else:
            reach = eta * self.momentum if self.nesterov else eta
            of_velocity = list(torch._foreach_add(of_momentum, of_parameters, alpha=-reach))
            of_direction = of_velocity
            if self.nesterov:
                of_direction = list(torch._foreach_add(of_velocity, of_parameters, alpha=-eta))
        if self.weight_decay:
            of_parameters = list(torch._foreach_add(of_parameters, of_direction, alpha=self.weight_decay))
        return of_direction, of_parameters, list(torch._foreach_mul(of_velocity, self.momentum)) if of_velocity else []
