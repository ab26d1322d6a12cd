"""The hypergradient through the last linear layer alone, where the inner problem is convex and can be solved."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.common import check_value
from autobalance.data import Batch
from autobalance.hypergradients._check import check_call
from autobalance.hypergradients._engine import Abilities, Hypergradient
from autobalance.hypergradients._implicit import flatten, hessian, mixed, unflatten
from autobalance.hypergradients._inner import (
    Inner,
    InnerState,
    inner_step,
    leaves,
    objective_gradient,
    train_value,
    training_layers_off,
)
from autobalance.hypergradients._optimiser import Tensors
from autobalance.hypergradients._solvers import ConjugateGradients, Solver, SolverWarning


@dataclass(frozen=True)
class Head:
    """Exact implicit differentiation of the last layer at its own optimum, with the features of the present weights.

    With W* where G(W, α) = ∂L/∂W + λ W vanishes on the features of all the batches, and F the objective there:

        dα = -∂G/∂α · p,    (∂G/∂W) p = ∂F/∂W

    One pass through the network serves all of it. How the features would answer to α is left out. The inner steps
    before it are plain ones; the solved W* is used here only. It does not depend on the learning rate, and an
    augmentation acts through the features.

    Args:
        steps: T, the inner steps, on whose batches the last layer is solved.
        layer: name of the last layer in the model; a ``nn.Linear`` whose output are the logits.
        solver: of the linear systems.
        newton: most Newton steps to W*.
        tolerance: W* is reached where |G| is this small relative to its start (at W = 0).
    """

    abilities: ClassVar[Abilities] = Abilities(
        recipe_parameters=("weight_decay",),
        requires=("rests", "elementwise", "decays"),
        frozen_parameters=True,
        precision=True,
        compiled=True,
    )

    steps: int = 5
    layer: str = "head"
    solver: Solver = field(default_factory=lambda: ConjugateGradients(100, 1e-6))
    newton: int = 30
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        check_value("steps", self.steps, at_least=1, whole=True)

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`.

        Raises:
            ValueError: the layer is not the last or not linear.
        """
        check_call(self, inner, hyper, batches)
        last = self._last_layer(inner)
        losses = []
        for batch in batches:
            state, loss = inner_step(inner, state, hyper, batch)
            losses.append(loss)
        joined = _joined([self._features(inner, state, batch) for batch in batches])
        outer = self._features(inner, state, outer_batch)

        problem = Inner(last, inner.train_loss, inner.objective, inner.optimiser)
        weights = {name: state.parameters[f"{self.layer}.{name}"] for name, _ in last.named_parameters()}
        best = self._optimum(problem, InnerState(weights, {}, {}, state.step), hyper, joined)
        objective, of_weights = objective_gradient(problem, best, outer)
        solution = self._solve(problem, best, hyper, joined, of_weights)
        gradient = {name: -value for name, value in mixed(problem, best, hyper, joined, solution).items()}
        return state, Hypergradient(gradient, float(objective), float(torch.stack(losses).mean()))

    def _last_layer(self, inner: Inner) -> nn.Linear:
        last = inner.model.get_submodule(self.layer)
        if not isinstance(last, nn.Linear):
            raise ValueError(f"the layer {self.layer!r} is a {type(last).__name__}; it has to be a Linear")
        return last

    def _features(self, inner: Inner, state: InnerState, batch: Batch) -> Batch:
        """The batch with the last layer's inputs in place of its own, dropout off."""
        seen: list[tuple[Tensor, Tensor]] = []
        hook = inner.model.get_submodule(self.layer).register_forward_hook(
            lambda _, inputs, output: seen.append((inputs[0], output))
        )
        buffers = {name: b.clone() for name, b in state.buffers.items()}
        try:
            with torch.no_grad(), training_layers_off(inner.model):
                logits = functional_call(inner.model, (state.parameters, buffers), (batch.x,))
        finally:
            hook.remove()
        if len(seen) != 1 or not torch.equal(seen[0][1], logits):
            raise ValueError(f"the output of the layer {self.layer!r} is not the model's: name the last layer")
        return batch._replace(x=seen[0][0])

    def _optimum(self, problem: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch) -> InnerState:
        """W*, by Newton's method with halved steps where a whole one does not lessen |G|."""

        def slope(weights: Tensors) -> Tensors:
            at = leaves(weights)
            loss = train_value(problem, at, {}, hyper, batch)
            gradients = dict(zip(at, torch.autograd.grad(loss, list(at.values())), strict=True))
            with torch.no_grad():
                return problem.optimiser.residual(weights, gradients, hyper)

        def size(weights: Tensors) -> float:
            return float(flatten(slope(weights)).norm())

        weights = state.parameters
        enough = self.tolerance * size({name: torch.zeros_like(w) for name, w in weights.items()})
        reached = size(weights)
        for _ in range(self.newton):
            if reached <= enough:
                break
            at = InnerState(weights, {}, {}, state.step)
            direction = self._solve(problem, at, hyper, batch, slope(weights))
            length = 1.0
            while length > 1e-4:
                moved = {name: w - length * direction[name] for name, w in weights.items()}
                if (found := size(moved)) < reached:
                    weights, reached = moved, found
                    break
                length /= 2
            else:
                break
        if reached > enough:
            warnings.warn(
                f"the last layer is not solved: |G| is {reached:.2g} where {enough:.2g} was asked for",
                SolverWarning,
                stacklevel=3,
            )
        return InnerState(weights, {}, {}, state.step)

    def _solve(
        self, problem: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, vector: Tensors
    ) -> Tensors:
        def product(flat: Tensor) -> Tensor:
            return flatten(hessian(problem, state, hyper, batch, unflatten(flat, state.parameters)))

        return unflatten(self.solver(product, flatten(vector)), state.parameters)


def _joined(batches: Sequence[Batch]) -> Batch:
    groups = [batch.group for batch in batches if batch.group is not None]
    x, y = torch.cat([batch.x for batch in batches]), torch.cat([batch.y for batch in batches])
    return Batch(x, y, torch.cat(groups) if groups else None)
