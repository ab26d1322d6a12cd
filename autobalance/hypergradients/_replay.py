"""Exact hypergradients by replaying the steps backwards from stored weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.hypergradients._inner import (
    Hypergradient,
    Inner,
    InnerState,
    check_batches,
    inner_step,
    objective_value,
    train_value,
)


@dataclass(frozen=True)
class Replay:
    """Reverse-mode differentiation through T training steps that keeps no graph, only each step's weights.

    The steps forward are the plain training steps. On the way back, from t = T-1 to 0, each step's graph is built
    anew and the adjoint of its gradient, a_g, is multiplied by the second derivatives of the training loss L:

        a_θ += ∂²L/∂θ² a_g;   dα += ∂²L/∂α∂θ a_g

    with the adjoint of the optimiser in between (`SGD.adjoint`). Exact: equal to unrolling, at the memory of one
    step's graph and one copy of the weights a step. Randomness of the model (dropout) is replayed as it fell.

    Source: Maclaurin et al. 2015 (reverse-mode differentiation through SGD), with stored instead of reversed weights.

    Args:
        steps: T.
    """

    steps: int = 5

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        check_batches(batches, self.steps)
        states, randomness, losses = [state], [], []
        for batch in batches:
            randomness.append(_random_state(batch.x.device))
            state, loss = inner_step(inner, states[-1], hyper, batch)
            states.append(state)
            losses.append(loss)
        after = _random_state(outer_batch.x.device)

        parameters = {name: p.detach().requires_grad_() for name, p in state.parameters.items()}
        objective = objective_value(inner, parameters, state.buffers, outer_batch)
        of_parameters = list(torch.autograd.grad(objective, list(parameters.values())))
        of_momentum = [torch.zeros_like(v) for v in state.momentum.values()]
        total = {name: torch.zeros_like(value) for name, value in hyper.items()}
        for before, batch, random in zip(states[-2::-1], batches[::-1], randomness[::-1], strict=True):
            of_gradient, of_parameters, of_momentum = inner.optimiser.adjoint(of_parameters, of_momentum, before.step)
            _set_random_state(random, batch.x.device)
            through_parameters, through_hyper = _second_derivatives(inner, before, hyper, batch, of_gradient)
            of_parameters = list(torch._foreach_add(of_parameters, through_parameters))
            for name, part in through_hyper.items():
                total[name] += part
        _set_random_state(after, outer_batch.x.device)
        return state, Hypergradient(total, float(objective.detach()), float(torch.stack(losses).mean()))


def _second_derivatives(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, vector: list[Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """∂²L/∂θ² · vector and ∂²L/∂α∂θ · vector at ``state``, both from one pass over the graph of ∂L/∂θ."""
    parameters = {name: p.detach().requires_grad_() for name, p in state.parameters.items()}
    alpha = {name: value.detach().requires_grad_() for name, value in hyper.items()}
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    weights = list(parameters.values())
    loss = train_value(inner, parameters, buffers, alpha, batch)
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    products = torch.autograd.grad(gradients, [*weights, *alpha.values()], vector, materialize_grads=True)
    return list(products[: len(weights)]), dict(zip(alpha, products[len(weights) :], strict=True))


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
