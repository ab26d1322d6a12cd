"""Trainings for the tests of steps."""

from __future__ import annotations

import torch
from torch import nn

from autobalance.data import Samples
from autobalance.study import Method, Training, named_method
from autobalance.training import Recipe, Setting

RECIPE = Recipe(epochs=2)


def training_of(
    setting: Setting, name: str, samples: Samples | None = None, recipe: Recipe = RECIPE, **hyper: float
) -> tuple[Method, Training]:
    """A method with other hyper-parameters, and a training of it."""
    method = named_method(name).at(hyper)
    return method, method.training(setting, samples or setting.problem.train, 0, recipe)


def trained(setting: Setting, name: str, recipe: Recipe = RECIPE, **hyper: float) -> nn.Module:
    method, training = training_of(setting, name, recipe=recipe, **hyper)
    return method.train(setting, training.samples, 0, recipe).eval()


def vectors(counts: list[int], width: int = 5) -> Samples:
    """Samples of classes of these sizes."""
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Samples(torch.randn(len(y), width, generator=torch.Generator().manual_seed(0)), y)
