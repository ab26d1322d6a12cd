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
from autobalance.hypergradients._parallel import averaged, summed
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
                of_hyper, of_parameters, of_slots = step_adjoint(
                    inner, segment.pop(), hyper, batches[number], of_parameters, of_slots, further_back=number > 0
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
    of_parameters: Tensors,
    of_slots: Slots,
    further_back: bool = True,
) -> tuple[Tensors, Tensors, Slots]:
    """One training step backwards, from ``state``, where it began.

    Args:
        of_parameters, of_slots: adjoints of the weights and of the optimiser's memory after the step.
        further_back: whether a step before this one is to be followed too. If not, only the first result is computed.

    Returns:
        what the step adds to the hypergradient, and the adjoints of the weights and the memory before it.
    """
    alpha, parameters, slots = leaves(hyper), leaves(state.parameters), state.optimiser
    if further_back:
        slots = {slot: leaves(values) for slot, values in slots.items()}
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with FastBatchNorm():
        loss = train_value(inner, parameters, buffers, alpha, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    whole = summed(dict(zip(parameters, gradients, strict=True)))
    new, new_slots = inner.optimiser.update(parameters, whole, slots, state.step, alpha)
    reached = [(value, of_parameters[name]) for name, value in new.items()]
    reached += [(value, of_slots[slot][name]) for slot, values in new_slots.items() for name, value in values.items()]
    inputs = [*alpha.values()]
    if further_back:
        inputs += [*parameters.values(), *(value for values in slots.values() for value in values.values())]
    outputs, adjoints = zip(*reached, strict=True)
    found = iter(torch.autograd.grad(outputs, inputs, adjoints, materialize_grads=True))
    of_hyper = averaged({name: next(found) for name in alpha})
    if not further_back:
        return of_hyper, {}, {}
    before = averaged({name: next(found) for name in parameters})
    return of_hyper, before, {slot: averaged({name: next(found) for name in values}) for slot, values in slots.items()}
