"""Plain training with a given loss: the retrain phase and every baseline run through it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.common import InputError
from autobalance.data import Batch, Samples, crop_and_flip
from autobalance.data.augmentation import Policy
from autobalance.hypergradients import SGD, Inner, InnerState, Objective, TrainLoss, inner_step
from autobalance.losses import Loss

#: Shares of the epochs after which the schedule ``steps`` lowers the learning rate.
STEPS_AT = (0.8, 0.9)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, the same for the search's inner loop, the searched loss and every baseline.

    Args:
        epochs: passes over the training samples.
        batch_size: samples a step; an epoch is cut into equal batches of about this size.
        lr: the largest learning rate. It rises linearly over the first epochs and then falls as ``schedule`` says.
        warmup_epochs: length of the rise.
        schedule: ``cosine``, down to zero; or ``steps``, to a tenth after 80 % of the epochs and again after 90 %, as
            after 160 and 180 of 200 in the long-tailed literature since Cao et al. 2019.
        augment: ``none``; for images ``crop-flip``, see `crop_and_flip`, or ``resized-crop``, see `draw_crops`.
        momentum, nesterov, weight_decay: as in `SGD`.
        precision: ``float32``, or ``bfloat16`` for training steps under autocast.
        compiled: whether the training steps run through ``torch.compile``. The first of a training then takes long.
    """

    epochs: int = 60
    batch_size: int = 64
    lr: float = 0.1
    warmup_epochs: int = 3
    schedule: str = "cosine"
    augment: str = "none"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    precision: str = "float32"
    compiled: bool = False

    def inner(self, model: nn.Module, train_loss: TrainLoss, objective: Objective, num_samples: int) -> Inner:
        """The inner problem of training ``model`` on ``num_samples`` in this way."""
        forward = compiled_forward(model) if self.compiled else None
        return Inner(model, train_loss, objective, self.optimiser(num_samples), getattr(torch, self.precision), forward)

    def steps_per_epoch(self, num_samples: int) -> int:
        return max(1, round(num_samples / self.batch_size))

    def optimiser(self, num_samples: int) -> SGD:
        """The optimiser with its learning-rate schedule for training on ``num_samples``."""
        per_epoch = self.steps_per_epoch(num_samples)
        rise, total = self.warmup_epochs * per_epoch, self.epochs * per_epoch

        def learning_rate(step: int) -> float:
            if step < rise:
                return self.lr * (step + 1) / rise
            if self.schedule == "steps":
                return self.lr * 0.1 ** sum(step >= share * total for share in STEPS_AT)
            return 0.5 * self.lr * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

        return SGD(learning_rate, self.momentum, self.nesterov, self.weight_decay)

    def batches(self, num_samples: int, generator: torch.Generator) -> list[Tensor]:
        """One epoch's batches in random order, as sample indices. Sizes differ by one at most, so none is tiny."""
        order = torch.randperm(num_samples, generator=generator)
        return list(order.tensor_split(self.steps_per_epoch(num_samples)))

    def take(self, samples: Samples, index: Tensor, generator: torch.Generator) -> Batch:
        """The samples at ``index`` as they are trained on: augmented where the recipe says so."""
        return self.augmented(samples.take(index, self.crops(generator)), generator)

    def crops(self, generator: torch.Generator) -> torch.Generator | None:
        """What draws the cuts of images when they are taken, if the recipe has cuts."""
        return generator if self.augment == "resized-crop" else None

    def augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch, taken with the cuts of `crops`, as it is trained on."""
        if self.augment != "crop-flip":
            return batch
        if batch.x.dim() != 4:
            shape = tuple(batch.x.shape[1:])
            raise InputError(f"augment {self.augment!r} is for images (C, H, W), not for samples of shape {shape}")
        return batch._replace(x=crop_and_flip(batch.x, generator))


@runtime_checkable
class SeesTargets(Protocol):
    """A model whose layers use the targets in training, as feature-distribution smoothing does."""

    def see(self, targets: Tensor, strength: Tensor | None = None) -> None:
        """The targets, (B,), of the batch that the model is called on next, and how strongly they are used there, from
        0 to 1; None: as the model has it."""

    def end_epoch(self) -> None:
        """An epoch is over. May change buffers, no weights."""


def end_epoch(inner: Inner, state: InnerState) -> InnerState:
    """The state with the buffers that a model that `SeesTargets` makes of the epoch that is over."""
    if not isinstance(inner.model, SeesTargets):
        return state
    state.copy_to(inner.model)
    inner.model.end_epoch()
    return replace(state, buffers=inner.init().buffers)


def train(
    model: nn.Module,
    samples: Samples,
    loss: Loss,
    recipe: Recipe,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
    policy: Policy | None = None,
) -> None:
    """Trains ``model`` in place.

    Args:
        model: starts from its present weights; shown the targets where it `SeesTargets`.
        samples: what it is trained on.
        loss: told of each epoch, and handed the model's features where it needs them.
        recipe: how.
        seed: of the order of the samples.
        on_epoch: called after each epoch with (epochs done, mean training loss).
        policy: changes the samples of each batch, after what the recipe does to them.

    Raises:
        InputError: the loss needs features and the model offers none.
        FloatingPointError: the training loss became NaN or infinite.
    """
    trained = WithFeatures(model) if loss.needs_features else model
    inner = recipe.inner(trained, train_loss_of(loss), lambda logits, batch: logits.sum(), len(samples))
    generator = torch.Generator().manual_seed(seed)
    model.train()
    loss.train()
    state = inner.init()
    for epoch in range(recipe.epochs):
        loss.start_epoch(epoch / recipe.epochs)
        losses = []
        for index in recipe.batches(len(samples), generator):
            batch = recipe.take(samples, index, generator)
            if policy is not None:
                batch = batch._replace(x=policy(batch.x, batch.y, batch.group, generator)[0])
            if isinstance(model, SeesTargets):
                model.see(batch.y)
            state, value = inner_step(inner, state, {}, batch)
            losses.append(value)
        state = end_epoch(inner, state)
        mean = torch.stack(losses).mean().item()
        if not math.isfinite(mean):
            raise FloatingPointError(f"the training loss is {mean} in epoch {epoch + 1}; lower the learning rate")
        if on_epoch is not None:
            on_epoch(epoch + 1, mean)
    state.copy_to(trained)


def train_loss_of(loss: Loss) -> TrainLoss:
    """``loss`` as an inner problem calls it: on a model's logits, or on what `WithFeatures` answers."""

    def train_loss(hyper: Mapping[str, Tensor], output: Tensor, batch: Batch) -> Tensor:
        logits, features = output if isinstance(output, tuple) else (output, None)
        return loss(logits, batch.y, group=batch.group, features=features)

    return train_loss


def compiled_forward(model: nn.Module) -> Callable[[dict[str, Tensor], dict[str, Tensor], Tensor], Any]:
    """``functional_call`` on ``model`` through ``torch.compile``: (parameters, buffers, x) -> output.

    It can be differentiated once. What was compiled before is forgotten: torch keeps eight versions of a function, and
    each model would be one.
    """
    torch.compiler.reset()
    return torch.compile(lambda parameters, buffers, x: functional_call(model, (parameters, buffers), (x,)))


class WithFeatures(nn.Module):
    """A model that answers (logits, features) to a plain call.

    Args:
        model: called as ``model(x, return_features=True)``, as all models of ``autobalance.models`` can be.

    Raises:
        InputError: its ``forward`` has no such argument.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if "return_features" not in inspect.signature(model.forward).parameters:
            raise InputError(
                f"this loss needs the features of {type(model).__name__}: give its forward an argument "
                "return_features=False, and return (logits, features) where it is True"
            )
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(x, return_features=True)
