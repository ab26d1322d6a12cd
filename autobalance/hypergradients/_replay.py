"""Exact hypergradients by replaying the steps backwards from stored weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._inner import (
    Hypergradient,
    Inner,
    InnerState,
    check_batches,
    inner_step,
    leaves,
    objective_gradient,
    train_value,
)
from autobalance.hypergradients._optimiser import Slots, Tensors
from autobalance.hypergradients._random import random_state, set_random_state


@dataclass(frozen=True)
class Replay:
    """Reverse-mode differentiation through T training steps that keeps no graph, only the weights of the steps.

    The steps forward are the plain training steps. On the way back, from t = T-1 to 0, each step's graph is built
    anew, from weights θ and optimiser memory v to those after the step, Φ(θ, v, α), and the adjoints go through it:

        a_θ, a_v, dα ← a_θ ∂Φ_θ/∂(θ, v, α) + a_v ∂Φ_v/∂(θ, v, α)

    which has the second derivatives of the training loss in it. Exact: equal to unrolling, at the memory of one
    step's graph and one copy of the weights a step. Randomness of the model (dropout) is replayed as it fell.

    Source: Maclaurin et al. 2015 (reverse-mode differentiation through SGD), with stored instead of reversed weights.

    Args:
        steps: T.
        checkpoint_every: k: only every k-th step's weights are stored, and the k - 1 between are trained once more on
            the way back: T / k + k copies of the weights for at most T more plain steps.
    """

    steps: int = 5
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        if self.checkpoint_every < 1:
            raise ValueError(f"checkpoint_every is {self.checkpoint_every}; it is at least 1")

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        check_batches(batches, self.steps)
        stored, randomness, losses = [], [], []
        for number, batch in enumerate(batches):
            if number % self.checkpoint_every == 0:
                stored.append(state)
            randomness.append(random_state(batch.x.device))
            state, loss = inner_step(inner, state, hyper, batch)
            losses.append(loss)
        after = random_state(outer_batch.x.device)

        objective, of_parameters = objective_gradient(inner, state, outer_batch)
        of_slots = {
            slot: {n: torch.zeros_like(v) for n, v in values.items()} for slot, values in state.optimiser.items()
        }
        total = {name: torch.zeros_like(value) for name, value in hyper.items()}
        for start in range(len(stored) - 1, -1, -1):
            first = start * self.checkpoint_every
            segment = [stored.pop()]
            for number in range(first, min(first + self.checkpoint_every, self.steps) - 1):
                set_random_state(randomness[number], batches[number].x.device)
                segment.append(inner_step(inner, segment[-1], hyper, batches[number])[0])
            for number in range(first + len(segment) - 1, first - 1, -1):
                set_random_state(randomness[number], batches[number].x.device)
                of_parameters, of_slots, of_hyper = step_adjoint(
                    inner, segment.pop(), hyper, batches[number], of_parameters, of_slots
                )
                for name, part in of_hyper.items():
                    total[name] += part
        set_random_state(after, outer_batch.x.device)
        return state, Hypergradient(total, float(objective), float(torch.stack(losses).mean()))


def step_adjoint(
    inner: Inner,
    state: InnerState,
    hyper: Mapping[str, Tensor],
    batch: Batch,
    of_parameters: Mapping[str, Tensor],
    of_slots: Slots,
) -> tuple[Tensors, Slots, Tensors]:
    """One training step backwards, from ``state``, where it began.

    Args:
        of_parameters, of_slots: adjoints of the weights and of the optimiser's memory after the step.

    Returns:
        adjoints of the weights and the memory before the step, and what the step adds to the hypergradient.
    """
    parameters, alpha = leaves(state.parameters), leaves(hyper)
    slots = {slot: leaves(values) for slot, values in state.optimiser.items()}
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with FastBatchNorm():
        loss = train_value(inner, parameters, buffers, alpha, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    new, new_slots = inner.optimiser.update(
        parameters, dict(zip(parameters, gradients, strict=True)), slots, state.step, alpha
    )
    keys = [(slot, name) for slot, values in slots.items() for name in values]
    found = torch.autograd.grad(
        [*new.values(), *(new_slots[slot][name] for slot, name in keys)],
        [*parameters.values(), *(slots[slot][name] for slot, name in keys), *alpha.values()],
        [*(of_parameters[name] for name in new), *(of_slots[slot][name] for slot, name in keys)],
        materialize_grads=True,
    )
    before_slots: Slots = {slot: {} for slot in slots}
    for (slot, name), adjoint in zip(keys, found[len(parameters) :], strict=False):
        before_slots[slot][name] = adjoint
    before = dict(zip(parameters, found, strict=False))
    return before, before_slots, dict(zip(alpha, found[len(parameters) + len(keys) :], strict=True))
