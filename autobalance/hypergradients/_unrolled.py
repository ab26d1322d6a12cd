"""Exact hypergradients by keeping the graph of all steps, through the library ``higher``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autobalance.common import check_value
from autobalance.data import Batch
from autobalance.hypergradients._check import check_call
from autobalance.hypergradients._closed_forms import ClosedForms
from autobalance.hypergradients._engine import Abilities, Hypergradient
from autobalance.hypergradients._inner import Inner, InnerState, leaves, training_layers_off
from autobalance.hypergradients._lists import rate_at
from autobalance.hypergradients._optimiser import Slots
from autobalance.hypergradients._sgd import SGD


@dataclass(frozen=True)
class Unrolled:
    """Backpropagation through T training steps that ``higher`` (Grefenstette et al. 2019) unrolls.

    The reference for `Replay`: written by others, equal in its results, with memory that grows with T.

    It steps plain SGD as torch does; its Adam is off by up to 1e-2.

    Args:
        steps: T.
    """

    abilities: ClassVar[Abilities] = Abilities(requires=("plain_sgd",), transform=True)

    steps: int = 5

    def __post_init__(self) -> None:
        check_value("steps", self.steps, at_least=1, whole=True)

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """See `Engine`."""
        import higher  # the one place that needs it

        check_call(self, inner, hyper, batches)
        optimiser = inner.optimiser
        assert isinstance(optimiser, SGD)
        start = deepcopy(inner.model)
        state.copy_to(start)
        torch_optimiser = torch.optim.SGD(
            start.parameters(),
            1.0,
            optimiser.momentum,
            optimiser.dampening,
            optimiser.weight_decay,
            optimiser.nesterov,
        )
        if optimiser.momentum and state.step > 0:
            for name, parameter in start.named_parameters():
                torch_optimiser.state[parameter]["momentum_buffer"] = state.optimiser["momentum"][name]
        alpha = leaves(hyper)

        losses = []
        with ClosedForms(), higher.innerloop_ctx(start, torch_optimiser) as (model, unrolled_optimiser):
            for taken, batch in enumerate(batches):
                seen = inner.transformed(alpha, batch)
                loss = inner.train_loss(alpha, model(seen.x), seen)
                losses.append(loss.detach())
                rate = rate_at(optimiser.lr, state.step + taken, {})
                unrolled_optimiser.step(loss, override={"lr": [rate]})
            names = [name for name, _ in start.named_parameters()]
            parameters = {name: p.detach() for name, p in zip(names, model.fast_params, strict=True)}
            buffers = {name: b.detach().clone() for name, b in model.named_buffers()}
            slots: Slots = {}
            if optimiser.momentum:
                buffer = unrolled_optimiser.state[0]
                slots["momentum"] = {name: buffer[i]["momentum_buffer"].detach() for i, name in enumerate(names)}
            with training_layers_off(model):
                objective = inner.objective(model(outer_batch.x), outer_batch)
            gradients = torch.autograd.grad(objective, list(alpha.values()), materialize_grads=True)
        reached = InnerState(parameters, buffers, slots, state.step + self.steps)
        total = dict(zip(alpha, gradients, strict=True))
        return reached, Hypergradient(total, float(objective.detach()), float(torch.stack(losses).mean()))
