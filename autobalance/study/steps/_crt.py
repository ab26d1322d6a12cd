"""Classifier re-training, cRT (Kang et al. 2020): the body stays, a fresh head is trained on class-balanced batches."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from autobalance.data import Samples
from autobalance.losses import ParametricLoss
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step
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


def _retrained(model: nn.Module, training: Training) -> nn.Module:
    """The model with a fresh head, which was trained with cross-entropy on the features of the trained body: of the
    samples as they are, in evaluation mode."""
    setting, samples = training.setting, training.samples
    head = setting.new_model((training.seed + 2**31) % 2**32, training.head).head
    model.eval()
    body = model.body
    assert isinstance(body, nn.Module) and isinstance(head, nn.Module)
    with torch.no_grad():
        features = torch.cat([body(batch.x) for batch in samples.batches()])
    epochs = max(1, round(training.hyper["crt_share"] * training.recipe.epochs))
    recipe = replace(training.recipe, epochs=epochs, lr=training.hyper["crt_lr"], augment="none", drop=None)
    loss = ParametricLoss(setting.problem.num_classes).to(features.device)
    values = {each.name: getattr(recipe, each.name) for each in fields(recipe)}
    train(head, Samples(features, samples.y), loss, ClassBalanced(**values, y=samples.y), training.seed)
    model.head = head
    return model


register_step(
    Step(
        "+crt",
        "the classifier trained again, on class-balanced batches",
        {"crt_share": 0.1, "crt_lr": 0.1},
        {"crt_share": Range(0.05, 0.5), "crt_lr": Range(0.001, 0.5, "log")},
        check=needs_parts,
        after=_retrained,
    )
)
