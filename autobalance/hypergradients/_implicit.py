"""Approximate hypergradients by the implicit function theorem, as if training had come to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._inner import (
    Hypergradient,
    Inner,
    InnerState,
    check_batches,
    inner_step,
    leaves,
    loss_hyper,
    objective_gradient,
    train_value,
)
from autobalance.hypergradients._one_step import logits_along
from autobalance.hypergradients._optimiser import Tensors
from autobalance.hypergradients._random import RandomState, random_state, set_random_state
from autobalance.hypergradients._solvers import Neumann, Solver


@dataclass(frozen=True)
class Implicit:
    """The derivative of the point where training comes to rest, taken where it stands.

    With the training gradient and decay G(θ, α) = ∂L/∂θ + λ θ, averaged over the batches, and F the objective:

        dα = -∂G/∂α · p,    (∂G/∂θ + δ I) p = ∂F/∂θ

    Exact only at rest and with the system solved; the inner steps before it are plain ones. Randomness (dropout) is
    the same in every product, so that all are of one matrix.

    Sources: Lorraine et al. 2020; AutoBalance (Li et al. 2021), section 3, whose code takes 10 batches, 5 Neumann
    terms, no damping and leaves λ out.

    Args:
        steps: T, the inner steps, over whose batches G is averaged.
        solver: `Neumann` or `ConjugateGradients`.
        damping: δ.
        curvature: ``exact``, or ``gauss-newton`` for Jᵀ (∂²L/∂z²) J + λ I, which is positive definite where the loss is
            convex in the logits z.
    """

    steps: int = 10
    solver: Solver = field(default_factory=Neumann)
    damping: float = 0.0
    curvature: Literal["exact", "gauss-newton"] = "exact"

    def __post_init__(self) -> None:
        if self.curvature not in ("exact", "gauss-newton"):
            raise ValueError(f"curvature is {self.curvature!r}; choose exact or gauss-newton")

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`.

        Raises:
            ValueError: the learning rate is searched, on which the point of rest does not depend.
        """
        check_batches(batches, self.steps)
        if "log_lr" in hyper:
            raise ValueError("where training comes to rest does not depend on the learning rate: use replay for log_lr")
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
    parameters = leaves(state.parameters)
    slope = residual(inner, parameters, state, {name: value.detach() for name, value in hyper.items()}, batch)
    found = torch.autograd.grad(list(slope.values()), list(parameters.values()), list(along.values()))
    return dict(zip(parameters, found, strict=True))


def mixed(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors) -> Tensors:
    """∂G/∂α · along on one batch."""
    alpha = leaves(hyper)
    slope = residual(inner, leaves(state.parameters), state, alpha, batch)
    found = torch.autograd.grad(
        list(slope.values()), list(alpha.values()), list(along.values()), materialize_grads=True
    )
    return dict(zip(alpha, found, strict=True))


def gauss_newton(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors) -> Tensors:
    """(Jᵀ (∂²L/∂z²) J + λ I) · along on one batch: one pass forward along it and one backward."""
    batch = inner.transformed(hyper, batch)
    random = random_state(batch.x.device)
    change = logits_along(inner, state, along, batch)
    set_random_state(random, batch.x.device)
    parameters, buffers = leaves(state.parameters), {name: b.clone() for name, b in state.buffers.items()}
    logits = functional_call(inner.model, (parameters, buffers), (batch.x,))
    at = logits.detach().requires_grad_()
    loss = inner.train_loss(loss_hyper(hyper), at, batch)
    (of_logits,) = torch.autograd.grad(loss, at, create_graph=True)
    (curved,) = torch.autograd.grad(of_logits, at, change)
    found = torch.autograd.grad(logits, list(parameters.values()), curved)
    return inner.optimiser.residual(along, dict(zip(along, found, strict=True)), hyper)


def residual(inner: Inner, parameters: Tensors, state: InnerState, alpha: Tensors, batch: Batch) -> Tensors:
    """G on one batch, differentiable in the parameters and in ``alpha``."""
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with FastBatchNorm():
        loss = train_value(inner, parameters, buffers, alpha, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    return inner.optimiser.residual(parameters, dict(zip(parameters, gradients, strict=True)), alpha)


def flatten(tensors: Tensors) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors.values()])


def unflatten(vector: Tensor, like: Tensors) -> Tensors:
    parts = vector.split([t.numel() for t in like.values()])
    return {name: part.view_as(t) for (name, t), part in zip(like.items(), parts, strict=True)}
