"""The inner problem: a model trained by a loss that has hyper-parameters, and one plain step of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS, Optimiser, Slots, Tensors
from autobalance.hypergradients._parallel import gather_rows, own_rows, summed

TrainLoss = Callable[[Mapping[str, Tensor], Tensor, Batch], Tensor]
Objective = Callable[[Tensor, Batch], Tensor]
Transform = Callable[[Mapping[str, Tensor], Batch], Batch]


@dataclass(frozen=True)
class Inner:
    """What is trained, on what, and how.

    Args:
        model: its structure and training mode are used, its weights are not: those are in `InnerState`.
        train_loss: (hyper, logits, batch) -> scalar, differentiable in ``hyper`` and the logits. It is given the
            hyper-parameters of the loss, those of the recipe (`RECIPE_PARAMETERS`) go to the optimiser.
        objective: (logits, batch) -> scalar, what the outer loop minimises.
        optimiser: of the inner steps.
        precision: of the plain training steps: `torch.bfloat16` runs them under autocast. Weights are float32 all the
            same, and so is all that is differentiated a second time.
        forward: (parameters, buffers, x) -> output, for the plain training steps: what ``functional_call`` on ``model``
            computes, in another way. None: ``functional_call``.
        transform: (hyper, batch) -> batch, what the hyper-parameters make of a training batch before the model sees it,
            differentiable in ``hyper``; a function of its arguments alone, without randomness of its own (see
            `Batch.draws`). It does not touch the batches of the objective. None: nothing.
    """

    model: nn.Module
    train_loss: TrainLoss
    objective: Objective
    optimiser: Optimiser
    precision: torch.dtype = torch.float32
    forward: Callable[[Tensors, Tensors, Tensor], Any] | None = None
    transform: Transform | None = None

    def transformed(self, hyper: Mapping[str, Tensor], batch: Batch) -> Batch:
        """A training batch as the model and the training loss see it: every engine takes it through here."""
        return batch if self.transform is None else self.transform(loss_hyper(hyper), batch)

    def init(self) -> InnerState:
        """The state that starts from the model's present weights, none of it shared with the model.

        Parameters that do not require gradients are not trained: they are kept among the buffers.
        """
        parameters: Tensors = {}
        buffers = {name: b.detach().clone() for name, b in self.model.named_buffers()}
        for name, parameter in self.model.named_parameters():
            value = fast_layout(parameter.detach().clone())
            (parameters if parameter.requires_grad else buffers)[name] = value
        return InnerState(parameters, buffers, self.optimiser.init(parameters), 0)


@dataclass(frozen=True)
class InnerState:
    """Everything that an inner step changes. Steps return a new state and leave this one as it was.

    Args:
        parameters, buffers: of the model, by name.
        optimiser: what it remembers, by kind and parameter name.
        step: number of steps taken, which the learning rate may depend on.
    """

    parameters: Tensors
    buffers: Tensors
    optimiser: Slots
    step: int

    def copy_to(self, model: nn.Module) -> None:
        """Writes these weights and buffers into ``model``."""
        values = {**self.parameters, **self.buffers}
        with torch.no_grad():
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
                tensor.copy_(values[name])


def train_value(
    inner: Inner, parameters: Tensors, buffers: Tensors, hyper: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    """The training loss of one batch, to be differentiated any number of times.

    ``buffers`` (batch-norm statistics) are updated in place.
    """
    batch = inner.transformed(hyper, batch)
    return inner.train_loss(loss_hyper(hyper), _output(inner, parameters, buffers, batch), batch)


def _output(
    inner: Inner,
    parameters: Tensors,
    buffers: Tensors,
    batch: Batch,
    forward: Callable[[Tensors, Tensors, Tensor], Any] | None = None,
) -> Any:
    """What the model makes of a batch: logits, or a tuple such as logits and features."""
    x = own_input(batch)
    output = forward(parameters, buffers, x) if forward else functional_call(inner.model, (parameters, buffers), (x,))
    if isinstance(output, tuple):
        return tuple(gather_rows(part, len(batch.x)) for part in output)
    return gather_rows(output, len(batch.x))


def own_input(batch: Batch) -> Tensor:
    """What this process's model is given of a batch."""
    x = own_rows(batch.x)
    return fast_layout(x) if x.dim() == 4 else x


def fast_layout(x: Tensor) -> Tensor:
    """Images and kernels with the channels next to one another in memory: a CPU's convolutions run faster on them.

    The kernels of several models, with a first dimension, are laid out as one convolution's.
    """
    if x.device.type != "cpu" or x.dim() not in (4, 5):
        return x
    if x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return fast_layout(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def loss_hyper(hyper: Mapping[str, Tensor]) -> Tensors:
    """The hyper-parameters of the loss: all but those of the recipe."""
    return {name: value for name, value in hyper.items() if name not in RECIPE_PARAMETERS.values()}


def leaves(tensors: Mapping[str, Tensor]) -> Tensors:
    """The same values, to be differentiated in."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}


def inner_step(inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch) -> tuple[InnerState, Tensor]:
    """One plain training step: the next state and the loss, detached. Nothing of it is kept for differentiation.

    A parameter that the loss does not reach has gradient zero: weight decay and momentum go on moving it.
    """
    return step_with_gradient(inner, state, hyper, batch)[:2]


def step_with_gradient(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch
) -> tuple[InnerState, Tensor, Tensors]:
    """`inner_step`, and the gradient that it took."""
    parameters = leaves(state.parameters)
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    detached = {name: value.detach() for name, value in hyper.items()}
    batch = inner.transformed(detached, batch)
    reduced = inner.precision != torch.float32
    with torch.autocast(batch.x.device.type, inner.precision if reduced else None, enabled=reduced):
        output = _output(inner, parameters, buffers, batch, inner.forward)
        loss = inner.train_loss(loss_hyper(detached), output, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
    with torch.no_grad():
        whole = summed(dict(zip(parameters, gradients, strict=True)))
        new, slots = inner.optimiser.update(state.parameters, whole, state.optimiser, state.step, detached)
    return InnerState(new, buffers, slots, state.step + 1), loss.detach(), whole


def objective_value(inner: Inner, parameters: Tensors, buffers: Tensors, batch: Batch) -> Tensor:
    """The objective of one batch at given weights.

    Dropout, stochastic depth and `FDS` are off. Batch norm normalises by this batch, as it does in training: its
    running statistics would make the objective depend on all earlier steps, which no unroll of T steps can follow.
    ``buffers`` are left as they are.
    """
    with training_layers_off(inner.model):
        logits = _output(inner, parameters, {name: b.clone() for name, b in buffers.items()}, batch)
    return inner.objective(logits, batch)


def objective_gradient(inner: Inner, state: InnerState, batch: Batch) -> tuple[Tensor, Tensors]:
    """The objective of one batch, detached, and its gradient by parameter."""
    parameters = leaves(state.parameters)
    objective = objective_value(inner, parameters, state.buffers, batch)
    gradients = torch.autograd.grad(objective, list(parameters.values()), materialize_grads=True)
    return objective.detach(), summed(dict(zip(parameters, gradients, strict=True)))


@contextmanager
def training_layers_off(model: nn.Module) -> Iterator[None]:
    """Has all layers but batch norm as in evaluation for a while: dropout in whatever form, stochastic depth, `FDS`."""
    layers = [m for m in model.modules() if m.training and not isinstance(m, nn.modules.batchnorm._NormBase)]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer in layers:
            layer.training = True
