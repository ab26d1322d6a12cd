"""Classifier re-training, cRT (Kang et al. 2020): the body stays, a fresh head is trained on class-balanced batches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from autobalance.data import Samples
from autobalance.losses import ParametricLoss
from autobalance.training import Recipe, train


@dataclass(frozen=True)
class ClassBalanced(Recipe):
    """A recipe that draws every sample of a batch from a class that is drawn first, all classes alike.

    Args:
        y: the classes of the training samples, (N,).
    """

    y: Tensor | None = None

    def batches(self, num_samples: int, generator: torch.Generator) -> list[Tensor]:
        """As many samples as there are, drawn with replacement."""
        assert self.y is not None
        y = self.y.cpu()
        weight = 1 / torch.bincount(y).double()[y]
        index = torch.multinomial(weight, num_samples, replacement=True, generator=generator)
        return list(index.tensor_split(self.steps_per_epoch(num_samples)))


def retrain_classifier(
    model: nn.Module, head: nn.Module, samples: Samples, num_classes: int, recipe: Recipe, seed: int
) -> None:
    """Puts a trained ``head`` in place of the model's own.

    The body's features are computed once, of the images as they are and in evaluation mode, and the head is trained on
    them with cross-entropy.

    Args:
        model: a trained `FeatureModel`, changed in place.
        head: a fresh head of the same shape.
        samples: what the model was trained on.
        num_classes: K.
        recipe: its epochs and learning rate are the second stage's.
        seed: of the draws.
    """
    model.eval()
    body = model.body
    assert isinstance(body, nn.Module)
    with torch.no_grad():
        features = torch.cat([body(batch.x) for batch in samples.batches()])
    stage = ClassBalanced(**asdict(replace(recipe, augment="none")), y=samples.y)
    loss = ParametricLoss(num_classes).to(features.device)
    train(head, Samples(features, samples.y), loss, stage, seed)
    model.head = head
