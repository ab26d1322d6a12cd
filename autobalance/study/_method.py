"""A method: a loss, what is done around training with it, and the hyper-parameters of all that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.data.augmentation import Policy
from autobalance.losses import Loss, loss_from_dict
from autobalance.losses.named import Range, named_loss
from autobalance.models import Smoothing
from autobalance.study._found import Found, policy_from_dict
from autobalance.study._losses import MakeLoss, Ready
from autobalance.study._training import Hyper, Training
from autobalance.study.steps import Step
from autobalance.training import Recipe, Setting, Stream, WithFeatures, train

#: Called with (epochs done, mean training loss).
OnEpoch = Callable[[int, float], None]

#: Finds what to train with, given (setting, recipe, seed, hyper-parameters): a search.
Prepare = Callable[[Setting, Recipe, int, Hyper], Found]


@dataclass(frozen=True)
class Changes:
    """A recipe with other values: ``Changes({"lr": 0.01})``."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, recipe: Recipe, hyper: Hyper) -> Recipe:
        return replace(recipe, **self.values)


@dataclass(frozen=True)
class Slowed:
    """A recipe whose learning rate a fixed loss lowers where it changes its scale, see `NamedLoss.drop`."""

    name: str

    def __call__(self, recipe: Recipe, hyper: Hyper) -> Recipe:
        return replace(recipe, drop=named_loss(self.name).drop(hyper))


@dataclass(frozen=True)
class Method:
    """A row of a table.

    Args:
        name: of the row.
        loss: makes the loss to train with.
        head: of the model, "linear" or "cosine".
        steps: what is done around the training.
        hyper: the hyper-parameters of the loss, of the steps and of the preparation, with their values.
        ranges: where those are tuned that are.
        recipe: (recipe, hyper-parameters) -> the recipe of this method.
        policy: how the samples are augmented, after what the recipe does to them.
        smoothing: of the features, by the density of the targets (FDS).
        prepare: finds what to train with, before there is a loss.
        cost: of a preparation, in plain trainings.
    """

    name: str
    loss: MakeLoss
    head: str = "linear"
    steps: tuple[Step, ...] = ()
    hyper: Hyper = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    recipe: Callable[[Recipe, Hyper], Recipe] = field(default_factory=Changes)
    policy: Policy | None = None
    smoothing: Smoothing | None = None
    prepare: Prepare | None = None
    cost: int = 0

    def at(self, hyper: Hyper) -> Method:
        """The method with other values for some of its hyper-parameters."""
        return replace(self, hyper={**self.hyper, **hyper})

    def found(self, found: Found) -> Method:
        """The method with what its preparation found, ready to train."""
        smoothing = found["smoothing"]
        return replace(
            self,
            loss=self.loss if found["loss"] is None else Ready(loss_from_dict(found["loss"])),
            recipe=Changes(found["recipe"]),
            policy=None if found["policy"] is None else policy_from_dict(found["policy"]),
            head=found["head"],
            smoothing=self.smoothing if smoothing is None else Smoothing.from_dict(smoothing, InputError),
            prepare=None,
        )

    def prepared(self, setting: Setting, recipe: Recipe, seed: int) -> tuple[Method, Found | None]:
        """The method ready to train, and what was found; a method that needs no preparation, and None."""
        if self.prepare is None:
            return self, None
        found = self.prepare(setting.without_test(), recipe, seed, self.hyper)
        return self.found(found), found

    def training(self, setting: Setting, samples: Samples, seed: int, recipe: Recipe) -> Training:
        """A training of this method."""
        return Training(setting, samples, seed, self.recipe(recipe, self.hyper), self.hyper, self.head)

    def loss_of(self, training: Training) -> Loss:
        """What is trained with, on the device: the loss with its steps around it."""
        loss = self.loss(training)
        for step in sorted(self.steps, key=lambda step: step.outside):
            if step.loss is None:
                continue
            try:
                loss = step.loss(loss, training)
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"{self.name}: {error}") from None
        return loss.to(training.setting.device)

    def model_of(self, training: Training) -> nn.Module:
        """A fresh model, as it is trained."""
        model = training.setting.new_model(training.seed, self.head)
        if self.smoothing is not None:
            model = self.smoothing.calibrate(model, training.setting.problem.train.first())
        for step in self.steps:
            model = model if step.model is None else step.model(model, training)
        return model

    @property
    def own(self) -> dict[str, Any]:
        """What this method decides for itself of how it trains, for a table to show."""
        recipe = dict(self.recipe.values) if isinstance(self.recipe, Changes) else {}
        if self.policy is not None:
            recipe["augmentation"] = ", ".join(self.policy.operations)
        if self.smoothing is not None:
            recipe["smoothing"] = f"{self.smoothing.strength:.3g} after {self.smoothing.layer}"
        return recipe

    @property
    def is_plain(self) -> bool:
        """Whether a model is trained as `train` does with a loss alone, and so can be trained together with others."""
        return self.policy is None and self.smoothing is None and not any(step.trains_alone for step in self.steps)

    def train(
        self, setting: Setting, samples: Samples, seed: int, recipe: Recipe, on_epoch: OnEpoch | None = None
    ) -> nn.Module:
        """Trains a fresh model.

        Args:
            setting: the problem, and how its models are made.
            samples: what is trained on.
            seed: of the weights and the order of the samples.
            recipe: how, but for the method's own changes.
            on_epoch: called after each epoch with (epochs done, mean training loss).

        Returns:
            a module that maps inputs to logits, whose largest is the prediction, or to numbers.

        Raises:
            InputError: the method does not fit the problem or the model.
            FloatingPointError: the training loss became NaN or infinite.
        """
        training = self.training(setting, samples, seed, recipe)
        loss = self.loss_of(training)
        for step in self.steps:
            training = training if step.samples is None else replace(training, samples=step.samples(training))
        model = self.model_of(training)
        for step in self.steps:
            if step.before is not None:
                step.before(model, training)
        policy = None if self.policy is None else self.policy.to(setting.device)
        stream = Stream(training.samples, training.recipe)
        for step in self.steps:
            stream = stream if step.stream is None else step.stream(stream, training)
        train(model, training.samples, loss, training.recipe, seed, on_epoch, policy, stream)
        return self.finished(model, training)

    def finished(self, model: nn.Module, training: Training) -> nn.Module:
        """A trained model as it is used."""
        for step in self.steps:
            model = model if step.after is None else step.after(model, training)
        return model

    def check(self, setting: Setting, recipe: Recipe) -> None:
        """Raises an InputError where the method does not fit the problem or the model, before anything takes time."""
        setting.check_own_model(0)
        training = self.training(setting, setting.problem.train, 0, recipe)
        model = self.model_of(training)
        if self.prepare is None and self.loss_of(training).needs_features:
            WithFeatures(model)
        if self.policy is not None:
            policy, one = self.policy.to(setting.device), training.samples.take(torch.arange(2))
            try:
                policy(one.x, one.y, one.group, torch.Generator().manual_seed(0))
            except ValueError as error:
                raise InputError(f"{self.name}: its augmentation does not fit: {error}") from None
        for step in self.steps:
            if step.check is not None:
                step.check(self.name, training, model)
