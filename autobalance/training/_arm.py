"""One arm of a comparison: a loss and all that it is trained with."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from torch import nn

from autobalance.data import Samples
from autobalance.data.augmentation import Policy
from autobalance.losses import Loss
from autobalance.models import Smoothing
from autobalance.training._answers import Answers, answers
from autobalance.training._recipe import Recipe
from autobalance.training._setting import Setting
from autobalance.training._train import train


@dataclass(frozen=True)
class Arm:
    """A loss and all that it is trained with.

    Args:
        name: what the tables call it.
        loss: what is trained with.
        recipe: how.
        head: of the model: "linear", or "cosine" for losses whose margins are between cosines.
        policy: how the samples of a batch are changed; None: they are not.
        smoothing: the feature smoothing that is put into the model; None: none.
    """

    name: str
    loss: Loss
    recipe: Recipe
    head: str = "linear"
    policy: Policy | None = None
    smoothing: Smoothing | None = None

    def new_model(self, setting: Setting, seed: int) -> nn.Module:
        """The model as it is before training, with the weights that ``seed`` draws.

        Raises:
            InputError: the model cannot have such a head or smoothing.
        """
        model = setting.new_model(seed, self.head)
        if self.smoothing is None:
            return model
        return self.smoothing.calibrate(model, setting.problem.train.first())

    def train(
        self, setting: Setting, samples: Samples, seed: int, on_epoch: Callable[[int, float], None] | None = None
    ) -> nn.Module:
        """A model that was trained from scratch.

        Args:
            setting: makes the model.
            samples: what it is trained on.
            seed: of the weights and of the order of the samples.
            on_epoch: called after each epoch with (epochs done, mean training loss).

        Raises:
            FloatingPointError: the training loss became NaN or infinite.
        """
        model = self.new_model(setting, seed)
        loss = deepcopy(self.loss).to(setting.device)  # one that collects statistics in training stays as it is
        train(model, samples, loss, self.recipe, seed, on_epoch, self.policy)
        return model

    def answers(
        self,
        setting: Setting,
        parts: tuple[Samples, Samples],
        seed: int,
        on_epoch: Callable[[int, float], None] | None = None,
        keep: Callable[[nn.Module], None] | None = None,
    ) -> Answers:
        """What a model that was trained from scratch answers, see `answers`.

        Args:
            setting: makes the model.
            parts: what it is trained on, and what it answers.
            seed, on_epoch: see `train`.
            keep: is given the model, unless its training diverged.
        """

        def trained() -> nn.Module:
            model = self.train(setting, parts[0], seed, on_epoch)
            if keep is not None:
                keep(model)
            return model

        return answers(trained, setting.problem, *parts)
