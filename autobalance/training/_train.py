"""Plain training with a given loss: the retrain phase and every baseline run through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from autobalance.data import Batch, Samples
from autobalance.data.augmentation import Policy
from autobalance.losses import Loss
from autobalance.models import started_at
from autobalance.training._advice import advice
from autobalance.training._epochs import Watched, no_objective, run_epochs
from autobalance.training._features import WithFeatures
from autobalance.training._recipe import Recipe
from autobalance.training._stream import Stream
from autobalance.training._targets import SeesTargets


def train(
    model: nn.Module,
    samples: Samples,
    loss: Loss,
    recipe: Recipe,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
    policy: Policy | None = None,
    stream: Stream | None = None,
) -> None:
    """Trains ``model`` in place.

    Args:
        model: starts from its present weights, the loss's ``start_bias`` added to the bias of its output, which is
            decayed towards that; shown the targets where it `SeesTargets`.
        samples: what it is trained on.
        loss: told of each epoch, and handed the model's features where it needs them.
        recipe: how.
        seed: of the order of the samples.
        on_epoch: called after each epoch with (epochs done, mean training loss).
        policy: changes the samples of each batch, after what the recipe does to them.
        stream: draws the batches of the samples; None: as the recipe says.

    Raises:
        InputError: the loss needs features and the model offers none, or has a start bias that it has no place for.
        FloatingPointError: the training loss became NaN or infinite; it says what may help.
    """
    trained = WithFeatures(model) if loss.needs_features else model
    watched, generator = Watched(loss), torch.Generator().manual_seed(seed)
    shown = Stream(samples, recipe) if stream is None else stream
    model.train()

    def draw(progress: float) -> Iterator[Batch]:
        for batch in shown.batches(progress, generator):
            if policy is not None:
                batch = batch._replace(x=policy(batch.x, batch.y, batch.group, generator)[0])
            if isinstance(model, SeesTargets):
                model.see(batch.y)
            yield batch

    def ended(epoch: int, means: list[float]) -> None:
        if on_epoch is not None:
            on_epoch(epoch, means[0])

    with started_at(model, samples.first(2), loss.start_bias):
        inner = recipe.inner(trained, watched, no_objective, len(samples))
        try:
            run_epochs(inner, [watched], recipe.epochs, draw, ended).copy_to(trained)
        except FloatingPointError as error:
            raise FloatingPointError(f"{error}; {advice(recipe, samples)}") from None
