"""Searches on small problems, put together from their parts."""

from __future__ import annotations

from autobalance.bilevel import (
    Interleaved,
    InterleavedSearch,
    OuterLoop,
    RecipeSpace,
    SearchSpace,
    Trainee,
    WholeTrainings,
)
from autobalance.hypergradients import Replay
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe


def watch(output, batch):
    return {"balanced_error": make_objective("balanced_error").metric(output, batch)}


def make_trainee(model, samples, loss_space, objective=None, recipe=None, names=(), **spaces):
    """A trainee with ``names`` of the recipe searched beside the loss; ``spaces``: augmentation, smoothing."""
    recipe = recipe or Recipe()
    space = SearchSpace(loss_space, RecipeSpace(recipe, names), **spaces)
    return Trainee(model, samples, space, objective or make_objective("balanced_error"), watch)


def interleaved(trainee, engine=None, outer=None, seed=0):
    return InterleavedSearch(trainee, Interleaved(engine or Replay(), outer or OuterLoop()), seed)


def by_whole_trainings(trainee, rounds=1, seed=0):
    return WholeTrainings(rounds).of(trainee, seed)
