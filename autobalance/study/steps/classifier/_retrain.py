"""A second stage: something is trained on the features of a trained body, which stays as it is."""

from __future__ import annotations

import torch
from torch import nn

from autobalance.data import Samples
from autobalance.losses import Loss, ParametricLoss
from autobalance.study._training import Training
from autobalance.study.steps._resampled import Resampled
from autobalance.training import Recipe, Stream, train


@torch.no_grad()
def features_of(model: nn.Module, samples: Samples) -> Samples:
    """The samples with the features of the model's body, (N, D), for inputs: as they are, in evaluation mode."""
    model.eval()
    body = model.get_submodule("body")
    return Samples(torch.cat([body(batch.x) for batch in samples.batches()]), samples.y, samples.group)


def new_head(training: Training) -> nn.Module:
    """A fresh head of the training's model."""
    return training.setting.new_model((training.seed + 2**31) % 2**32, training.head).get_submodule("head")


def second_stage(training: Training, share: float, lr: float) -> Recipe:
    """The recipe of a second stage: of a share of the epochs, with a learning rate of its own that begins at once."""
    return training.stage(share, lr=lr, warmup_epochs=0, augment="none")


def balanced(features: Samples, recipe: Recipe) -> Stream:
    """Batches of features in which all classes are alike."""
    return Resampled(Stream(features, recipe), features.y)


def retrain(head: nn.Module, stream: Stream, training: Training, loss: Loss | None = None) -> None:
    """Trains what maps features to logits, in place.

    Args:
        head: maps (B, D) to (B, K).
        stream: the features that it is trained on, and how.
        training: which this is a stage of.
        loss: what with; None: cross-entropy.
    """
    loss = ParametricLoss(training.setting.problem.num_classes) if loss is None else loss
    samples, recipe = stream.samples, stream.recipe
    train(head, samples, loss.to(samples.device), recipe, training.seed, stream=stream)
