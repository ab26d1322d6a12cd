"""Several small models trained in one pass, each on its own samples with its own loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy

import torch
from torch import nn

from autobalance.common import InputError
from autobalance.data import Batch, Samples
from autobalance.hypergradients import Stacked, folds, stack_batches
from autobalance.losses import Loss
from autobalance.models import started_at
from autobalance.training._epochs import Watched, no_objective, run_epochs
from autobalance.training._features import WithFeatures
from autobalance.training._recipe import Recipe
from autobalance.training._targets import SeesTargets


def train_together(
    models: Sequence[nn.Module],
    samples: Sequence[Samples],
    losses: Sequence[Loss],
    recipe: Recipe,
    seeds: Sequence[int],
    on_epoch: Callable[[int, list[float]], None] | None = None,
) -> None:
    """Trains each of M models in place, as ``train(model, samples, loss, recipe, seed)`` does one after the other.

    The layers of all models are computed at once, which pays where the models are so small that a call costs more than
    its arithmetic. The results are those of `train` up to rounding, unless the models draw random numbers (dropout).

    Args:
        models: of one structure; each starts from its present weights.
        samples: one a model, all of the same number: the training samples of folds, or the same ones again.
        losses: one a model, of any kind. A loss that is given twice is copied, so that it has two states.
        recipe: how, the same for all.
        seeds: of the order of each model's samples.
        on_epoch: called after each epoch with (epochs done, each model's mean training loss).

    Raises:
        InputError: see `train`; lists of different lengths, samples of different numbers, or a model that
            `SeesTargets`.
        FloatingPointError: a training loss became NaN or infinite.
    """
    if len({len(models), len(samples), len(losses), len(seeds)}) != 1:
        raise InputError(
            f"{len(models)} models, {len(samples)} sets of samples, {len(losses)} losses and {len(seeds)} seeds: "
            "give one of each a model"
        )
    if len(sizes := sorted({len(each) for each in samples})) != 1:
        raise InputError(
            f"sets of {sizes[0]} and of {sizes[-1]} samples cannot be trained on together: make them equal"
        )
    if any(isinstance(model, SeesTargets) for model in models):
        raise InputError("models that see the targets (FDS) cannot be trained together: train them one by one")
    featured = any(loss.needs_features for loss in losses)
    trained = [WithFeatures(model) if featured else model for model in models]
    watched, number = [Watched(deepcopy(loss)) for loss in losses], sizes[0]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(progress: float) -> Iterator[Batch]:
        orders = [recipe.batches(number, generator) for generator in generators]
        for indices in zip(*orders, strict=True):
            drawn = zip(samples, indices, generators, strict=True)
            yield stack_batches([recipe.take(each, index, generator) for each, index, generator in drawn])

    def ended(epoch: int, means: list[float]) -> None:
        if on_epoch is not None:
            on_epoch(epoch, means)

    with _started(models, samples, losses):
        one = recipe.inner(trained[0], watched[0], no_objective, number)
        inner = folds(one, [model.train() for model in trained], watched)
        run_epochs(inner, watched, recipe.epochs, draw, ended).copy_to(inner.model)
        stacked = inner.model
        assert isinstance(stacked, Stacked)
        for model, apart in zip(trained, stacked.unstack(), strict=True):
            model.load_state_dict(apart.state_dict())


@contextmanager
def _started(models: Sequence[nn.Module], samples: Sequence[Samples], losses: Sequence[Loss]) -> Iterator[None]:
    """Each model as its loss starts it; where one loss has a start bias all have, so that they are of one structure."""
    with ExitStack() as stack:
        if any(loss.start_bias is not None for loss in losses):
            for model, its, loss in zip(models, samples, losses, strict=True):
                bias = torch.zeros(loss.num_classes) if loss.start_bias is None else loss.start_bias
                stack.enter_context(started_at(model, its.first(2), bias))
        yield
