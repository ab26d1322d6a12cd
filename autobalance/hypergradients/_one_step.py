"""The exact hypergradient through one training step, without second derivatives of the network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._inner import (
    Hypergradient,
    Inner,
    InnerState,
    check_batches,
    leaves,
    loss_hyper,
    objective_gradient,
)
from autobalance.hypergradients._optimiser import Tensors
from autobalance.hypergradients._random import random_state, set_random_state


@dataclass(frozen=True)
class OneStep:
    """`Replay` with T = 1, by forward instead of second derivatives.

    The hyper-parameters act on the training gradient g = Jᵀ ∂ℓ/∂z only through the logits z, so with v the adjoint
    of g through the optimiser's step

        dα = ∂/∂α <g, v> = ∂/∂α <∂ℓ/∂z, J v>

    and J v is the derivative of the logits along v: one forward pass that carries it along.

    Source: the one-step hypergradient is that of DARTS (Liu et al. 2019), which takes this product by finite
    differences.
    """

    steps: ClassVar[int] = 1

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`.

        Raises:
            ValueError: the hyper-parameters change the model's inputs, and so not only its logits.
        """
        check_batches(batches, self.steps)
        if inner.transform is not None:
            raise ValueError("one-step follows the loss alone, no augmentation: use replay, with steps=1 if need be")
        batch, alpha = batches[0], leaves(hyper)
        before = random_state(batch.x.device)
        parameters, buffers = leaves(state.parameters), {name: b.clone() for name, b in state.buffers.items()}
        logits = functional_call(inner.model, (parameters, buffers), (batch.x,))
        at = logits.detach().requires_grad_()
        loss = inner.train_loss(loss_hyper(alpha), at, batch)
        (of_logits,) = torch.autograd.grad(loss, at, create_graph=True)
        found = torch.autograd.grad(logits, list(parameters.values()), of_logits.detach())
        del logits
        gradients = dict(zip(parameters, found, strict=True))
        with torch.no_grad():
            new, slots = inner.optimiser.update(state.parameters, gradients, state.optimiser, state.step, hyper)
        reached = InnerState(new, buffers, slots, state.step + 1)
        after = random_state(batch.x.device)

        objective, of_parameters = objective_gradient(inner, reached, outer_batch)
        along, total = _of_gradient(inner, state, gradients, hyper, of_parameters)
        set_random_state(before, batch.x.device)
        change = logits_along(inner, state, along, batch)
        set_random_state(after, batch.x.device)
        through = torch.autograd.grad(of_logits, list(alpha.values()), change, materialize_grads=True)
        for name, part in zip(alpha, through, strict=True):
            total[name] = total[name] + part
        return reached, Hypergradient(total, float(objective), float(loss.detach()))


def _of_gradient(
    inner: Inner, state: InnerState, gradients: Tensors, hyper: Mapping[str, Tensor], of_parameters: Tensors
) -> tuple[Tensors, Tensors]:
    """The optimiser's step backwards: the adjoint of the gradient, and what the step itself owes to ``hyper``."""
    at, alpha = leaves(gradients), leaves(hyper)
    new, _ = inner.optimiser.update(state.parameters, at, state.optimiser, state.step, alpha)
    found = torch.autograd.grad(
        list(new.values()), [*at.values(), *alpha.values()], list(of_parameters.values()), materialize_grads=True
    )
    return dict(zip(at, found, strict=False)), dict(zip(alpha, found[len(at) :], strict=True))


def logits_along(inner: Inner, state: InnerState, along: Tensors, batch: Batch) -> Tensor:
    """The derivative of the batch's logits when the weights move along ``along``."""
    buffers = {name: b.clone() for name, b in state.buffers.items()}
    with warnings.catch_warnings():  # torch's forward mode starts with a deprecation warning of its own making
        warnings.filterwarnings("ignore", message=".torch.jit.script. is deprecated", category=FutureWarning)
        import torch._decomp.decompositions_for_jvp
    with torch.no_grad(), FastBatchNorm(), forward_ad.dual_level():
        moving = {name: forward_ad.make_dual(p, along[name]) for name, p in state.parameters.items()}
        logits = functional_call(inner.model, (moving, buffers), (batch.x,))
        return forward_ad.unpack_dual(logits).tangent
