"""Products with the second derivatives of the training loss, by forward mode where the model's layers have it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.hypergradients._along import Along
from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._inner import Inner, InnerState, leaves, loss_hyper, own_input, train_value
from autobalance.hypergradients._optimiser import Tensors
from autobalance.hypergradients._parallel import gather_rows, summed

#: Models with a layer that has no forward derivative: found out at the first step, and not tried again.
_LONGER: WeakSet[nn.Module] = WeakSet()


class ForwardModeWarning(UserWarning):
    """A layer of the model has no forward derivative, so that second derivatives take the longer way."""


def second_order(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors, of_weights: bool = True
) -> tuple[Tensors, Tensors]:
    """With g = ∂L/∂θ on a batch and a direction v of the weights: ∂⟨g, v⟩/∂α and ∂⟨g, v⟩/∂θ (a Hessian product).

    ⟨g, v⟩ is the derivative of L along v, so one forward pass that carries v along has it, and one pass back through
    that its derivatives: 3 + 5 products of the size of a convolution, where differentiating g takes 3 + 6. Where a
    layer has no forward derivative, or one that torch cannot differentiate back through, the latter is done, with a
    warning at the model's first step.

    Args:
        along: v, by parameter.
        of_weights: whether ∂/∂θ is wanted. If not, the second result is empty, and there is no pass back.

    Warns:
        ForwardModeWarning: a layer has no forward derivative.

    Raises:
        InputError: a layer has no second derivatives in either way.
    """
    found = None
    if inner.model not in _LONGER:
        try:
            found = _by_forward_mode(inner, state, hyper, batch, along, of_weights)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # NotImplementedError is one
            reason = _first_line(error)
    if found is None:
        try:
            found = _by_reverse_mode(inner, state, hyper, batch, along, of_weights)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise InputError(
                "a layer of the model has no second derivatives, which hypergradients through training steps take: "
                f"{_first_line(error)}; write that layer with other operations, or use the `strategy` prediction, "
                "which needs none"
            ) from error
        if inner.model not in _LONGER:
            _LONGER.add(inner.model)
            warnings.warn(
                f"second derivatives take a longer way, since a layer has no forward derivative: {reason}",
                ForwardModeWarning,
                stacklevel=2,
            )
    whole = iter(summed(dict(enumerate(found))).values())
    of_hyper = {name: next(whole) for name in hyper}
    return of_hyper, {name: next(whole) for name in along} if of_weights else {}


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0][:120]


def _by_forward_mode(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors, of_weights: bool
) -> tuple[Tensor, ...]:
    """L depends on θ through the model's output z alone: ⟨g, v⟩ = ⟨∂L/∂z, J v⟩."""
    alpha, parameters = leaves(hyper), leaves(state.parameters)
    through_model = of_weights or inner.transform is not None
    batch = inner.transformed(alpha, batch)
    with torch.set_grad_enabled(through_model):
        outputs, changes = output_along(inner, parameters, state, along, batch)
    if not through_model:
        outputs = [z.requires_grad_() for z in outputs]
    whole = [gather_rows(z, len(batch.y)) for z in outputs]
    seen: Any = whole[0] if len(whole) == 1 else tuple(whole)
    loss = inner.train_loss(loss_hyper(alpha), seen, batch)
    of_outputs = torch.autograd.grad(loss, outputs, create_graph=True, materialize_grads=True)
    derivative = torch.stack([(slope * change).sum() for slope, change in zip(of_outputs, changes, strict=True)]).sum()
    inputs = [*alpha.values(), *(parameters.values() if of_weights else [])]
    return torch.autograd.grad(derivative, inputs, materialize_grads=True)


def _by_reverse_mode(
    inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batch: Batch, along: Tensors, of_weights: bool
) -> tuple[Tensor, ...]:
    alpha, parameters = leaves(hyper), leaves(state.parameters)
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with FastBatchNorm():
        loss = train_value(inner, parameters, buffers, alpha, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True, materialize_grads=True)
    inputs = [*alpha.values(), *(parameters.values() if of_weights else [])]
    reached = [(g, along[name]) for name, g in zip(parameters, gradients, strict=True) if g.requires_grad]
    if not reached:  # the loss is linear
        return tuple(torch.zeros_like(value) for value in inputs)
    slopes, directions = zip(*reached, strict=True)
    return torch.autograd.grad(slopes, inputs, directions, materialize_grads=True)


def output_along(
    inner: Inner, parameters: Tensors, state: InnerState, along: Tensors, batch: Batch
) -> tuple[list[Tensor], list[Tensor]]:
    """What the model makes of this process's rows of a batch, and its derivative when the weights move along ``along``.

    Each is a list with the logits, and what else the model answers with.
    """
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with warnings.catch_warnings():  # torch's forward mode starts with a deprecation warning of its own making
        warnings.filterwarnings("ignore", message=".torch.jit.script. is deprecated", category=FutureWarning)
        import torch._decomp.decompositions_for_jvp
    with forward_ad.dual_level(), Along():
        moving = {name: forward_ad.make_dual(p, along[name]) for name, p in parameters.items()}
        output = functional_call(inner.model, (moving, buffers), (own_input(batch),))
        pairs = [forward_ad.unpack_dual(z) for z in (output if isinstance(output, tuple) else (output,))]
    return [z for z, _ in pairs], [torch.zeros_like(z) if change is None else change for z, change in pairs]
