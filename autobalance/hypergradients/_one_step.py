"""The exact hypergradient through one training step, without second derivatives of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients._check import check_call
from autobalance.hypergradients._engine import Abilities, Hypergradient
from autobalance.hypergradients._inner import Inner, InnerState, leaves, loss_hyper, objective_gradient, own_input
from autobalance.hypergradients._kept_layers import KeptLayers
from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS
from autobalance.hypergradients._random import random_state, set_random_state
from autobalance.hypergradients._second_order import output_along
from autobalance.hypergradients._update import Update


@dataclass(frozen=True)
class OneStep:
    """`Replay` with T = 1, by forward instead of second derivatives.

    The hyper-parameters act on the training gradient g = Jᵀ ∂ℓ/∂z only through the logits z, so with v the adjoint
    of g through the optimiser's step

        dα = ∂/∂α <g, v> = ∂/∂α <∂ℓ/∂z, J v>

    and J v is the derivative of the logits along v: one forward pass that carries it along, on what the layers put out
    in the training step (`KeptLayers`). Hyper-parameters that change the model's inputs act in other ways too.

    Source: the one-step hypergradient is that of DARTS (Liu et al. 2019), which takes this product by finite
    differences.
    """

    abilities: ClassVar[Abilities] = Abilities(
        recipe_parameters=tuple(RECIPE_PARAMETERS), folds=True, frozen_parameters=True, every=4
    )
    steps: ClassVar[int] = 1

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        check_call(self, inner, hyper, batches)
        batch, alpha = batches[0], leaves(hyper)
        before = random_state(batch.x.device)
        parameters, buffers = leaves(state.parameters), {name: b.clone() for name, b in state.buffers.items()}
        layers = KeptLayers()
        with layers:
            output = functional_call(inner.model, (parameters, buffers), (own_input(batch),))
        outputs = list(output) if isinstance(output, tuple) else [output]
        at = [z.detach().requires_grad_() for z in outputs]
        seen: Any = tuple(at) if isinstance(output, tuple) else at[0]
        loss = inner.train_loss(loss_hyper(alpha), seen, batch)
        of_outputs = torch.autograd.grad(loss, at, create_graph=True, materialize_grads=True)
        slopes = [slope.detach() for slope in of_outputs]
        found = torch.autograd.grad(outputs, list(parameters.values()), slopes, materialize_grads=True)
        del output, outputs
        gradients = dict(zip(parameters, found, strict=True))
        with torch.no_grad():
            new, slots = inner.optimiser.update(state.parameters, gradients, state.optimiser, state.step, hyper)
        reached = InnerState(new, buffers, slots, state.step + 1)
        after = random_state(batch.x.device)

        objective, of_parameters = objective_gradient(inner, reached, outer_batch)
        nothing = {kind: {n: torch.zeros_like(x) for n, x in tensors.items()} for kind, tensors in slots.items()}
        update = Update(inner.optimiser, state.parameters, gradients, state.optimiser, state.step, hyper)
        total, along, _, _ = update.back(of_parameters, nothing)
        set_random_state(before, batch.x.device)
        with torch.no_grad(), layers.again():
            _, changes = output_along(inner, state.parameters, state, along, batch)
        set_random_state(after, batch.x.device)
        derivative = torch.stack(
            [(slope * change).sum() for slope, change in zip(of_outputs, changes, strict=True)]
        ).sum()
        through = torch.autograd.grad(derivative, list(alpha.values()), materialize_grads=True)
        for name, part in zip(alpha, through, strict=True):
            total[name] = total[name] + part
        return reached, Hypergradient(total, float(objective), float(loss.detach()))
