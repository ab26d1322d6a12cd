"""Exact hypergradients by replaying the steps backwards from stored weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autobalance.common import check_value
from autobalance.data import Batch
from autobalance.hypergradients._check import check_call
from autobalance.hypergradients._engine import Abilities, Hypergradient
from autobalance.hypergradients._inner import Inner, InnerState, objective_gradient, step_with_gradient
from autobalance.hypergradients._memory import keep_freed_memory
from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS, Slots, Tensors
from autobalance.hypergradients._random import random_state, set_random_state
from autobalance.hypergradients._second_order import second_order
from autobalance.hypergradients._update import Update, keeps_gradient


@dataclass(frozen=True)
class Replay:
    """Reverse-mode differentiation through T training steps that keeps no graph, only the weights of the steps.

    The steps forward are the plain training steps. One is the optimiser's update Φ of weights θ and memory v with the
    gradient g(θ, α). On the way back, from t = T-1 to 0, the adjoints go through both:

        a_θ, a_v, a_g, dα ← a_θ ∂Φ_θ/∂(θ, v, g, α) + a_v ∂Φ_v/∂(θ, v, g, α);  a_θ, dα += ∂⟨g, a_g⟩/∂(θ, α)

    The last has the second derivatives of the training loss in it, see `second_order`. Exact: equal to unrolling, at
    the memory of one step's graph and one copy of the weights a step (and of the gradient, unless the update is linear
    in it). Randomness of the model (dropout) is replayed as it fell.

    Source: Maclaurin et al. 2015 (reverse-mode differentiation through SGD), with stored instead of reversed weights.

    Args:
        steps: T.
        checkpoint_every: k: only every k-th step's weights are stored, and the k - 1 between are trained once more on
            the way back: T / k + k copies of the weights for at most T more plain steps.
    """

    abilities: ClassVar[Abilities] = Abilities(
        recipe_parameters=tuple(RECIPE_PARAMETERS),
        transform=True,
        feature_smoothing=True,
        folds=True,
        frozen_parameters=True,
        precision=True,
        compiled=True,
        processes=True,
    )

    steps: int = 5
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        check_value("steps", self.steps, at_least=1, whole=True)
        check_value("checkpoint_every", self.checkpoint_every, at_least=1, whole=True)

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        check_call(self, inner, hyper, batches)
        keep_freed_memory()
        keep = keeps_gradient(inner.optimiser, hyper)
        gradients: dict[int, Tensors] = {}
        stored, randomness, losses = [], [], []
        for number, batch in enumerate(batches):
            if number % self.checkpoint_every == 0:
                stored.append(state)
            randomness.append(random_state(batch.x.device))
            state, loss, gradient = step_with_gradient(inner, state, hyper, batch)
            losses.append(loss)
            if keep and self.checkpoint_every == 1:
                gradients[number] = gradient
        after = random_state(outer_batch.x.device)

        objective, of_parameters = objective_gradient(inner, state, outer_batch)
        of_slots = {
            slot: {n: torch.zeros_like(v) for n, v in values.items()} for slot, values in state.optimiser.items()
        }
        total = {name: torch.zeros_like(value) for name, value in hyper.items()}
        for start in range(len(stored) - 1, -1, -1):
            first = start * self.checkpoint_every
            segment = [stored.pop()]
            last = min(first + self.checkpoint_every, self.steps) - 1
            for number in range(first, last + 1 if keep and not gradients else last):
                set_random_state(randomness[number], batches[number].x.device)
                reached, _, gradient = step_with_gradient(inner, segment[-1], hyper, batches[number])
                if keep:
                    gradients[number] = gradient
                if number < last:
                    segment.append(reached)
            for number in range(last, first - 1, -1):
                set_random_state(randomness[number], batches[number].x.device)
                of_hyper, of_parameters, of_slots = step_adjoint(
                    inner,
                    segment.pop(),
                    gradients.pop(number, None),
                    hyper,
                    batches[number],
                    (of_parameters, of_slots),
                    further_back=number > 0,
                )
                for name, part in of_hyper.items():
                    total[name] += part
        set_random_state(after, outer_batch.x.device)
        return state, Hypergradient(total, float(objective), float(torch.stack(losses).mean()))


def step_adjoint(
    inner: Inner,
    state: InnerState,
    gradients: Tensors | None,
    hyper: Mapping[str, Tensor],
    batch: Batch,
    after: tuple[Tensors, Slots],
    further_back: bool = True,
) -> tuple[Tensors, Tensors, Slots]:
    """One training step backwards, from ``state``, where it began.

    Args:
        gradients: that the step took, where `keeps_gradient` asks for them.
        after: adjoints of the weights and of the optimiser's memory after the step.
        further_back: whether the step before this one will be taken backwards too. If not, the adjoint of the weights
            is empty.

    Returns:
        what the step adds to the hypergradient, and the adjoints of the weights and the memory before it.
    """
    update = Update(inner.optimiser, state.parameters, gradients, state.optimiser, state.step, hyper)
    found = update.back(*after)
    through, curved = second_order(inner, state, hyper, batch, found.gradients, of_weights=further_back)
    total = {name: value + through[name] for name, value in found.hyper.items()}
    return total, {name: found.parameters[name] + value for name, value in curved.items()}, found.slots
