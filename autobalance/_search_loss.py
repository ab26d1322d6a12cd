"""The search from Python: a model and two sets of samples in, a loss out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from autobalance.bilevel import Bilevel, OuterLoop, SearchState, run
from autobalance.data import as_samples
from autobalance.data._convert import Part
from autobalance.errors import InputError
from autobalance.hypergradients import Engine
from autobalance.losses import Loss, Member, ScheduledLoss, save_loss
from autobalance.losses._file import write_text
from autobalance.objectives import Objective, make_objective
from autobalance.points import fixed_point
from autobalance.space import LATE_START, LossSpace
from autobalance.training import Recipe


@dataclass(frozen=True)
class SearchResult:
    """A searched loss and how it came about.

    Args:
        loss: an ``nn.Module``, called as ``loss(logits, target)``.
        history: one record an epoch: phase, epoch, train_loss, objective, balanced_error (percent, on the validation
            samples) and parameters.
        outer_steps, skipped_steps: hypergradient steps taken, and steps not taken because a value was not finite.
    """

    loss: Member | ScheduledLoss
    history: list[dict[str, Any]]
    outer_steps: int
    skipped_steps: int

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes ``loss.json`` and ``history.jsonl`` to ``directory``, which is made where it is missing."""
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        save_loss(self.loss, place / "loss.json")
        write_text(place / "history.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))


def search_loss(
    model: nn.Module,
    train_set: Part,
    validation_set: Part,
    *,
    objective: str | Objective = "balanced_error",
    free: Sequence[str] = ("w", "l", "delta"),
    tie: str = "frequency",
    late: Sequence[str] = (),
    late_start: float = LATE_START,
    start: str | Loss = "la",
    hypergradient: Engine | None = None,
    recipe: Recipe | None = None,
    outer: OuterLoop | None = None,
    seed: int = 0,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> SearchResult:
    """Searches the training loss that makes ``objective`` small on the validation samples.

    Args:
        model: the network, (B, ...) -> (B, K) logits. It is copied; its weights stay as they are.
        train_set, validation_set: (x, y) of arrays or tensors, a torch ``Dataset``, or `Samples`; classes 0..K-1, each
            with samples in both. They are moved to the model's device and floating-point type.
        objective: a name, or a function of (logits, batch).
        free, tie, late, late_start: what is searched, see `LossSpace`.
        start: a fixed loss by name, or a loss.
        hypergradient: the engine, for example ``Replay(steps=5)``.
        recipe: how the model is trained.
        outer: when and how the loss is updated.
        seed: of the order of the samples.
        on_epoch: called with each epoch's record.

    Raises:
        InputError (a ValueError): an unknown name, samples that cannot be used, or a recipe too short for a
            single hypergradient.
    """
    weight = next(model.parameters())
    train_samples, validation_samples = (
        samples.to(weight.device, weight.dtype) for samples in as_samples(train_set, validation_set)
    )
    counts = train_samples.class_counts(int(train_samples.y.max()) + 1)
    point = fixed_point(start, counts.cpu()).to(counts.device) if isinstance(start, str) else start
    space = LossSpace(point, counts, free, tie, late, late_start)
    search = Bilevel(
        model, train_samples, validation_samples, space, make_objective(objective), hypergradient, recipe, outer, seed
    )
    if search.hypergradient_steps == 0:
        raise InputError("the recipe leaves no room for a hypergradient: give it more epochs, or a smaller outer.every")
    history: list[dict[str, Any]] = []

    def keep(state: SearchState, record: dict[str, Any]) -> None:
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)

    state = run(search, on_epoch=keep)
    return SearchResult(space.loss(state.best), history, state.outer_steps, state.skipped)
