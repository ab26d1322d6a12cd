"""The inner problem: a model trained by a loss that has hyper-parameters, and one plain step of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients._sgd import SGD

Tensors = dict[str, Tensor]
TrainLoss = Callable[[Mapping[str, Tensor], Tensor, Batch], Tensor]
Objective = Callable[[Tensor, Batch], Tensor]


@dataclass(frozen=True)
class Inner:
    """What is trained, on what, and how.

    Args:
        model: its structure and training mode are used, its weights are not: those are in `InnerState`.
        train_loss: (hyper, logits, batch) -> scalar, differentiable in ``hyper`` and the logits.
        objective: (logits, batch) -> scalar, what the outer loop minimises.
        optimiser: of the inner steps.
    """

    model: nn.Module
    train_loss: TrainLoss
    objective: Objective
    optimiser: SGD

    def init(self) -> InnerState:
        """The state that starts from the model's present weights, none of it shared with the model."""
        parameters = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        buffers = {name: b.detach().clone() for name, b in self.model.named_buffers()}
        return InnerState(parameters, buffers, self.optimiser.init(parameters), 0)


@dataclass(frozen=True)
class InnerState:
    """Everything that an inner step changes. Steps return a new state and leave this one as it was.

    Args:
        parameters, buffers: of the model, by name.
        momentum: of the optimiser, by parameter name; empty without momentum.
        step: number of steps taken, which the learning rate may depend on.
    """

    parameters: Tensors
    buffers: Tensors
    momentum: Tensors
    step: int

    def copy_to(self, model: nn.Module) -> None:
        """Writes these weights and buffers into ``model``."""
        model.load_state_dict({**self.parameters, **self.buffers})


@dataclass(frozen=True)
class Hypergradient:
    """The derivative of the objective after the unrolled steps.

    Args:
        gradient: by hyper-parameter name.
        objective: the value that was differentiated.
        train_loss: mean loss of the inner steps.
    """

    gradient: Tensors
    objective: float
    train_loss: float


class Engine(Protocol):
    """A way to differentiate through training: all engines share this signature."""

    @property
    def steps(self) -> int:
        """T, the number of inner steps that the gradient looks back through."""

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """Takes the inner steps on ``batches`` and differentiates the objective on ``outer_batch`` in ``hyper``.

        Args:
            inner, state: the problem, and where its training stands; neither is changed.
            hyper: the loss's hyper-parameters.
            batches: T training batches, one a step.
            outer_batch: validation samples.

        Returns:
            the state after the T steps, the same that plain training would have reached, and the hypergradient.
        """


def train_value(inner: Inner, parameters: Tensors, buffers: Tensors, hyper: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """The training loss of one batch. ``buffers`` (batch-norm statistics) are updated in place."""
    logits = functional_call(inner.model, (parameters, buffers), (batch.x,))
    return inner.train_loss(hyper, logits, batch)


def inner_step(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch
) -> tuple[InnerState, Tensor]:
    """One plain training step: the next state and the loss, detached. Nothing of it is kept for differentiation."""
    parameters = {name: p.detach().requires_grad_() for name, p in state.parameters.items()}
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    loss = train_value(inner, parameters, buffers, {k: v.detach() for k, v in hyper.items()}, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    new, momentum = inner.optimiser.update(state.parameters, gradients, state.momentum, state.step)
    return replace(state, parameters=new, buffers=buffers, momentum=momentum, step=state.step + 1), loss.detach()


def objective_value(inner: Inner, parameters: Tensors, buffers: Tensors, batch: Batch) -> Tensor:
    """The objective of one batch at given weights.

    Dropout is off. Batch norm normalises by this batch, as it does in training: its running statistics would make
    the objective depend on all earlier steps, which no unroll of T steps can follow. ``buffers`` are left as they are.
    """
    with dropout_off(inner.model):
        logits = functional_call(inner.model, (parameters, {k: b.clone() for k, b in buffers.items()}), (batch.x,))
    return inner.objective(logits, batch)


@contextmanager
def dropout_off(model: nn.Module) -> Iterator[None]:
    """Switches dropout layers to evaluation for a while and leaves all others in training mode."""
    layers = [m for m in model.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


def check_batches(batches: Sequence[Batch], steps: int) -> None:
    if len(batches) != steps:
        raise ValueError(f"{len(batches)} batches for {steps} unrolled steps; give one batch a step")
