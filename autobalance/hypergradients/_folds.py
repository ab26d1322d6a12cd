"""Several models trained at once on the same hyper-parameters, as one inner problem that every engine takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.utils._pytree import tree_map

from autobalance.data import Batch
from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._inner import Inner, Objective, TrainLoss, fast_layout

#: How torch's vmap begins where a model looks at a value.
_DEPENDS_ON_VALUES = "vmap: It looks like you're"


class Stacked(nn.Module):
    """F models of one structure as one: parameters and buffers have a first dimension F, inputs and logits too.

    Models whose way depends on values, as an ``if mask.all()`` of Hugging Face's attention does, are called one after
    the other, which takes longer.

    Args:
        models: start from their present weights.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(models))
        self.number, self._one_by_one = len(models), False
        self.model = deepcopy(models[0])
        for name, value in {**parameters, **buffers}.items():
            _put(self.model, name, value.detach())

    def forward(self, x: Tensor) -> Any:
        """Logits (F, B, K) of inputs (F, B, ...), each model's own; a tuple where the models answer with one."""

        def one(state: Mapping[str, Tensor], inputs: Tensor) -> Any:
            return functional_call(self.model, dict(state), (inputs,))

        state = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        if self._one_by_one:
            answers = [one({name: each[f] for name, each in state.items()}, x[f]) for f in range(self.number)]
            return tree_map(lambda *parts: torch.stack(parts), *answers)
        try:
            return self._at_once(one, state, x)
        except RuntimeError as error:
            if not str(error).startswith(_DEPENDS_ON_VALUES):
                raise
            self._one_by_one = True
            return self(x)

    def _at_once(self, one: Callable[..., Any], state: Mapping[str, Tensor], x: Tensor) -> Any:
        across = 0
        if x.dim() == 5:  # the models' channels side by side, as in one convolution in groups
            x, across = fast_layout(x.transpose(0, 1).flatten(1, 2)).unflatten(1, (len(x), -1)), 1
        with FastBatchNorm():
            return torch.vmap(one, (0, across), randomness="different")(state, x)

    def unstack(self) -> list[nn.Module]:
        """The models apart."""
        models = [deepcopy(self.model) for _ in range(self.number)]
        for fold, model in enumerate(models):
            for name, value in [*self.model.named_parameters(), *self.model.named_buffers()]:
                _put(model, name, value.detach()[fold].clone())
        return models


def _put(model: nn.Module, name: str, value: Tensor) -> None:
    """Replaces a parameter or buffer by one of another shape."""
    path, _, last = name.rpartition(".")
    owner = model.get_submodule(path)
    old = getattr(owner, last)
    setattr(owner, last, nn.Parameter(value, old.requires_grad) if isinstance(old, nn.Parameter) else value)


def stack_batches(batches: Sequence[Batch]) -> Batch:
    """Each fold's batch, all of one size, as one with a first dimension F."""
    groups = [batch.group for batch in batches if batch.group is not None]
    draws = [batch.draws for batch in batches if batch.draws is not None]
    x, y = torch.stack([batch.x for batch in batches]), torch.stack([batch.y for batch in batches])
    together = {name: torch.stack([each[name] for each in draws]) for name in draws[0]} if draws else None
    return Batch(x, y, torch.stack(groups) if groups else None, together)


def fold_loss(train_losses: Sequence[TrainLoss]) -> TrainLoss:
    """The training loss of F models side by side, each with its own: the sum, whose gradient in each is its own."""

    def train_loss(hyper: Mapping[str, Tensor], output: Any, batch: Batch) -> Tensor:
        parts = zip(train_losses, _apart(output), split_batch(batch), strict=True)
        return torch.stack([loss(hyper, own, part) for loss, own, part in parts]).sum()

    return train_loss


def _apart(output: Any) -> Iterable[Any]:
    """Each model's own of what `Stacked` answers."""
    return zip(*output, strict=True) if isinstance(output, tuple) else output.unbind()


def fold_objective(objective: Objective) -> Objective:
    """The objective of F models side by side: the mean of the folds'."""

    def mean(output: Any, batch: Batch) -> Tensor:
        parts = zip(_apart(output), split_batch(batch), strict=True)
        return torch.stack([objective(z, part) for z, part in parts]).mean()

    return mean


def folds(inner: Inner, models: Sequence[nn.Module], train_losses: Sequence[TrainLoss] | None = None) -> Inner:
    """The inner problem of F models that train side by side, each on its own fold's batches (`stack_batches`).

    Every model is trained as it would be alone, and the hypergradient of any engine but `Unrolled` is the mean of the
    folds'. The training loss that an engine reports is their sum.

    Args:
        inner: of one fold; its model is not used.
        models: one a fold, of the same structure.
        train_losses: one a model, instead of the same for all.

    Raises:
        ValueError: another number of losses than models, or the optimiser cannot step models side by side.
    """
    own_losses = list(train_losses or [inner.train_loss] * len(models))
    if len(own_losses) != len(models):
        raise ValueError(f"{len(own_losses)} training losses for {len(models)} models; give each its own, or none")

    def transform(hyper: Mapping[str, Tensor], batch: Batch) -> Batch:
        return stack_batches([inner.transformed(hyper, part) for part in split_batch(batch)])

    own = None if inner.transform is None else transform
    return replace(
        inner,
        model=Stacked(models),
        train_loss=fold_loss(own_losses),
        objective=fold_objective(inner.objective),
        optimiser=inner.optimiser.side_by_side(),
        transform=own,
    )


def split_batch(batch: Batch) -> list[Batch]:
    """Each fold's own batch of what `stack_batches` made one."""

    def part(fold: int) -> Batch:
        group = None if batch.group is None else batch.group[fold]
        draws = None if batch.draws is None else {name: each[fold] for name, each in batch.draws.items()}
        return Batch(batch.x[fold], batch.y[fold], group, draws)

    return [part(fold) for fold in range(len(batch.y))]
