"""Several methods trained on the same samples; models of one structure in one pass, which takes less time."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from autobalance.data import Samples
from autobalance.study._method import Method
from autobalance.training import Recipe, Setting, train_together


def train_methods(
    methods: Sequence[Method], setting: Setting, samples: Samples, seed: int, recipe: Recipe
) -> list[nn.Module | None]:
    """A model trained with each method, as `Method.train` gives it up to rounding.

    Args:
        methods: ready to train; those that train as `train` does, with one head and recipe, are trained together.
        setting: the problem, and how its models are made.
        samples: what is trained on.
        seed: of the weights and the order of the samples.
        recipe: how, but for the methods' own changes.

    Returns:
        the models; None where a training diverged.
    """
    alike: dict[tuple[str, Recipe, int | None], list[int]] = {}
    for place, method in enumerate(methods):
        its = method.recipe(recipe, method.hyper)
        alike.setdefault((method.head, its, None if method.is_plain else place), []).append(place)
    models: list[nn.Module | None] = [None] * len(methods)
    for places in alike.values():
        group = [methods[place] for place in places]
        for place, model in zip(places, _trained(group, setting, samples, seed, recipe), strict=True):
            models[place] = model
    return models


def _trained(
    group: Sequence[Method], setting: Setting, samples: Samples, seed: int, recipe: Recipe
) -> list[nn.Module | None]:
    if len(group) > 1:
        trainings = [method.training(setting, samples, seed, recipe) for method in group]
        losses = [method.loss_of(training) for method, training in zip(group, trainings, strict=True)]
        models = [method.model_of(training) for method, training in zip(group, trainings, strict=True)]
        number = len(group)
        try:
            train_together(models, [samples] * number, losses, trainings[0].recipe, [seed] * number)
        except FloatingPointError:  # one diverged: all begin anew, each for itself
            return [_alone(method, setting, samples, seed, recipe) for method in group]
        return [m.finished(model, its) for m, model, its in zip(group, models, trainings, strict=True)]
    return [_alone(group[0], setting, samples, seed, recipe)]


def _alone(method: Method, setting: Setting, samples: Samples, seed: int, recipe: Recipe) -> nn.Module | None:
    try:
        return method.train(setting, samples, seed, recipe)
    except FloatingPointError:
        return None
