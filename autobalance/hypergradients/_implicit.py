"""Approximate hypergradients by the implicit function theorem, as if training had come to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.func import functional_call

from autobalance.common import check_one_of, check_value
from autobalance.data import Batch
from autobalance.hypergradients._check import check_call
from autobalance.hypergradients._engine import Abilities, Hypergradient
from autobalance.hypergradients._inner import (
    Inner,
    InnerState,
    inner_step,
    leaves,
    loss_hyper,
    objective_gradient,
    own_input,
)
from autobalance.hypergradients._optimiser import Tensors
from autobalance.hypergradients._random import RandomState, random_state, set_random_state
from autobalance.hypergradients._second_order import output_along, second_order
from autobalance.hypergradients._solvers import Neumann, Solver


@dataclass(frozen=True)
class Implicit:
    """The derivative of the point where training comes to rest, taken where it stands.

    With the training gradient and decay G(θ, α) = ∂L/∂θ + λ θ, averaged over the batches, and F the objective:

        dα = -∂G/∂α · p,    (∂G/∂θ + δ I) p = ∂F/∂θ

    Exact only at rest and with the system solved; the inner steps before it are plain ones. Randomness (dropout) is
    the same in every product, so that all are of one matrix. The point of rest does not depend on the learning rate.

    Sources: Lorraine et al. 2020; AutoBalance (Li et al. 2021), section 3, whose code takes 10 batches, 5 Neumann
    terms, no damping and leaves λ out.

    Args:
        steps: T, the inner steps, over whose batches G is averaged.
        solver: `Neumann` or `ConjugateGradients`.
        damping: δ.
        curvature: ``exact``, or ``gauss-newton`` for Jᵀ (∂²L/∂z²) J + λ I, which is positive definite where the loss is
            convex in the logits z.
    """

    abilities: ClassVar[Abilities] = Abilities(
        recipe_parameters=("weight_decay",),
        requires=("rests",),
        transform=True,
        folds=True,
        frozen_parameters=True,
        precision=True,
        compiled=True,
    )

    steps: int = 10
    solver: Solver = field(default_factory=Neumann)
    damping: float = 0.0
    curvature: Literal["exact", "gauss-newton"] = "exact"

    def __post_init__(self) -> None:
        check_value("steps", self.steps, at_least=1, whole=True)
        check_value("damping", self.damping, at_least=0)
        check_one_of("curvature", self.curvature, ("exact", "gauss-newton"))

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        check_call(self, inner, hyper, batches)
        randomness, losses = [], []
        for batch in batches:
            randomness.append(random_state(batch.x.device))
            state, loss = inner_step(inner, state, hyper, batch)
            losses.append(loss)
        after = random_state(outer_batch.x.device)
        part = gauss_newton if self.curvature == "gauss-newton" else hessian

        def product(vector: Tensor) -> Tensor:
            along = unflatten(vector, state.parameters)
            found = average(
                lambda batch: part(inner, state, hyper, batch, along), list(zip(batches, randomness, strict=True))
            )
            return flatten(found) + self.damping * vector

        objective, of_parameters = objective_gradient(inner, state, outer_batch)
        solution = unflatten(self.solver(product, flatten(of_parameters)), state.parameters)
        gradient = average(
            lambda batch: mixed(inner, state, hyper, batch, solution), list(zip(batches, randomness, strict=True))
        )
        gradient = {name: -value for name, value in gradient.items()}
        set_random_state(after, outer_batch.x.device)
        return state, Hypergradient(gradient, float(objective), float(torch.stack(losses).mean()))


def average(of: Callable[[Batch], Tensors], draws: Sequence[tuple[Batch, RandomState]]) -> Tensors:
    """The mean of ``of(batch)``, each with the random numbers that fell to the batch."""
    total: Tensors = {}
    for batch, random in draws:
        set_random_state(random, batch.x.device)
        for name, value in of(batch).items():
            total[name] = total[name] + value / len(draws) if name in total else value / len(draws)
    return total


def hessian(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors) -> Tensors:
    """∂G/∂θ · along on one batch."""
    _, curved = second_order(inner, state, hyper, batch, along)
    return inner.optimiser.residual(along, curved, hyper)


def mixed(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors) -> Tensors:
    """∂G/∂α · along on one batch."""
    through, _ = second_order(inner, state, hyper, batch, along, of_weights=False)
    alpha, zero = leaves(hyper), {name: torch.zeros_like(value) for name, value in along.items()}
    decay = inner.optimiser.residual(state.parameters, zero, alpha)
    moved = [(slope, along[name]) for name, slope in decay.items() if slope.requires_grad]
    if not moved:  # the decay is not searched
        return through
    found = torch.autograd.grad(
        [slope for slope, _ in moved], list(alpha.values()), [part for _, part in moved], materialize_grads=True
    )
    return {name: value + through[name] for name, value in zip(alpha, found, strict=True)}


def gauss_newton(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors) -> Tensors:
    """(Jᵀ (∂²L/∂z²) J + λ I) · along on one batch: one pass forward along it and one backward."""
    batch = inner.transformed(hyper, batch)
    random = random_state(batch.x.device)
    with torch.no_grad():
        _, (change,) = output_along(inner, state.parameters, state, along, batch)
    set_random_state(random, batch.x.device)
    parameters, buffers = leaves(state.parameters), {name: b.clone() for name, b in state.buffers.items()}
    logits = functional_call(inner.model, (parameters, buffers), (own_input(batch),))
    at = logits.detach().requires_grad_()
    loss = inner.train_loss(loss_hyper(hyper), at, batch)
    (of_logits,) = torch.autograd.grad(loss, at, create_graph=True)
    (curved,) = torch.autograd.grad(of_logits, at, change)
    found = torch.autograd.grad(logits, list(parameters.values()), curved, materialize_grads=True)
    return inner.optimiser.residual(along, dict(zip(along, found, strict=True)), hyper)


def flatten(tensors: Tensors) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors.values()])


def unflatten(vector: Tensor, like: Tensors) -> Tensors:
    parts = vector.split([t.numel() for t in like.values()])
    return {name: part.view_as(t) for (name, t), part in zip(like.items(), parts, strict=True)}
