"""The search from Python: a model and two sets of samples in, a loss out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.bilevel._augmentation_space import AUGMENT, space_of
from autobalance.bilevel._choice import CHOICE_FOLDS, SEARCHED, Choice, Metric, choose, member, metric_of
from autobalance.bilevel._interleaved import OuterLoop, run
from autobalance.bilevel._rounds import make_search
from autobalance.bilevel._space import LATE_START, LossSpace
from autobalance.bilevel._state import SearchState
from autobalance.cli._config import RATES, STRENGTH
from autobalance.common import InputError, write_text
from autobalance.common.density import check_edges, make_bin_edges
from autobalance.data import (
    Fold,
    FoldedSamples,
    Part,
    Problem,
    Samples,
    as_number_samples,
    as_samples,
    check_names,
    side_by_side,
    stratified_folds,
    stratum,
)
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.hypergradients import Engine
from autobalance.losses import Loss, Member, RegressionLoss, ScheduledLoss, save_loss
from autobalance.tasks import outputs, task_of
from autobalance.tasks.objectives import OwnFunction
from autobalance.training import Recipe, train


@dataclass(frozen=True)
class SearchResult:
    """A searched loss and how it came about.

    Args:
        loss: the loss to use: the searched one, or the chosen one where a choice was asked for; an ``nn.Module``,
            called as ``loss(logits, target)``, with groups ``loss(logits, target, group=g)``, for
            regression ``loss(prediction, target)``.
        history: one record an epoch: phase, epoch, train_loss, objective, parameters, and on the validation samples
            balanced_error (percent) or balanced_mae and mae; for classes also objective_metric, the objective's true
            (0/1) metric in percent, and with groups worst_group_error, deo and group_balanced_error.
        outer_steps, skipped_steps: hypergradient steps taken, and steps not taken because a value was not finite.
        augmentation: the policy that was found, called as ``x, y = policy(x, y)``; None where it was not searched.
        fds_strength: the strength of the model's feature-distribution smoothing; None where it was not searched.
        recipe: how to train with ``loss``: as given, with the rates that were found where they were searched.
        choice: which loss was chosen and how sure that is; None where no choice was asked for.
        searched: the searched loss, chosen or not.
    """

    loss: Member | ScheduledLoss
    history: list[dict[str, Any]]
    outer_steps: int
    skipped_steps: int
    augmentation: Policy | None
    fds_strength: float | None
    recipe: Recipe
    choice: Choice | None
    searched: Member | ScheduledLoss

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes ``loss.json``, ``history.jsonl`` and, where there is one, ``augmentation.json`` to ``directory``.

        The directory is made where it is missing.
        """
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        save_loss(self.loss, place / "loss.json")
        if self.augmentation is not None:
            save_augmentation(self.augmentation, place / "augmentation.json")
        write_text(place / "history.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))


def search_loss(
    model: nn.Module,
    train_set: Part,
    validation_set: Part,
    *,
    task: str = "classification",
    bins: int | Sequence[float] | Tensor | None = None,
    objective: str | OwnFunction | None = None,
    free: Sequence[str] | None = None,
    tie: str = "frequency",
    late: Sequence[str] = (),
    late_start: float = LATE_START,
    operations: Sequence[str] | None = None,
    tie_augment: str | None = None,
    start: str | Loss | None = None,
    hypergradient: Engine | None = None,
    recipe: Recipe | None = None,
    outer: OuterLoop | None = None,
    rounds: int | None = None,
    seed: int = 0,
    folds: int | None = None,
    confidence: float = 0.0,
    candidates: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> SearchResult:
    """Searches the training loss that makes ``objective`` small on the validation samples.

    Args:
        model: the network, (B, ...) -> (B, K) logits; for regression -> (B,) or (B, 1) in the unit of the targets. It
            is copied; its weights stay as they are.
        train_set, validation_set: (x, y) of arrays or tensors, a torch ``Dataset``, or `Samples`; classes 0..K-1, each
            with samples in both; for regression finite numbers. They are moved to the model's device and floating-point
            type. With groups (x, y, group), groups 0..G-1: every class with training samples in every group.
        task: ``classification`` or ``regression``.
        bins: for regression, how many bins the training targets are sorted into, or the bins' K + 1 edges; None: those
            of ``start`` where it is a loss, else see `make_bin_edges`.
        objective: as on the command line, or a function of (output, target, group or None) that gives a scalar. None:
            ``balanced_error``, with groups ``group_balanced_error``, for regression ``balanced_mae``.
        free, tie, late, late_start: what is searched, see `LossSpace`. ``free`` None: w, l and delta, for regression w.
            With ``augment`` in ``free`` the augmentation of the training samples is searched too.
        operations, tie_augment: what is searched of it, see `AugmentationSpace`.
        start: a fixed loss by name, or a loss. None: ``la``, with groups ``group-la``, for regression ``sqinv``.
        hypergradient: the engine, for example ``Replay(steps=5)``.
        recipe: how the model is trained. None: `Recipe`, for regression with the command's learning rate.
        outer: when and how the loss is updated.
        rounds: search by so many whole trainings instead, see `Rounds`; ``hypergradient`` and ``outer`` stay unset.
        seed: of the order of the samples.
        folds: how many cross-validation folds of all samples are searched on at once; None: the split that is given.
        confidence: with which the searched loss has to beat ``start`` and ``candidates`` on held-out samples of folds
            (``folds``, or 3); where it does not, the result is the best of those. Each of them is trained once a fold.
            0: no choice, the searched loss is the result.
        candidates: further fixed losses by name.
        class_names, group_names: K and G names that are kept with the loss.
        on_epoch: called with each epoch's record.

    Raises:
        InputError (a ValueError): an unknown name, samples that cannot be used, or a recipe too short for a
            single hypergradient.
    """
    if isinstance(start, RegressionLoss):
        if bins is not None:
            raise InputError("bins have no effect beside a loss to start from, which has its own")
        bins = start.bin_edges
    problem = _named(_problem(model, train_set, validation_set, task, bins), class_names, group_names)
    goal = task_of(problem)
    default = goal.defaults
    counts = goal.counts(problem.train if folds is None else problem.train.join(problem.validation))
    start = default.start if start is None else start
    point = goal.fixed_loss(start, counts).to(problem.train.device) if isinstance(start, str) else start
    names = default.free if free is None else free
    augmentation = space_of(problem, counts, names, operations, tie_augment)
    strength, rates = STRENGTH in names, [name for name in names if name in RATES]
    names = [name for name in names if name not in (AUGMENT, STRENGTH, *RATES)]
    if candidates and not confidence:
        raise InputError("candidates have no effect without a confidence above 0, with which they have to be beaten")
    splits = stratified_folds(problem, folds or CHOICE_FOLDS, seed) if folds is not None or confidence else []
    train_part: Samples | FoldedSamples = problem.train
    validation_part: Samples | FoldedSamples = problem.validation
    if folds is not None:
        train_part, validation_part = side_by_side(problem, splits)
    search = make_search(
        rounds,
        model,
        train_part,
        validation_part,
        LossSpace(point, counts.to(problem.train.device), names, tie, late, late_start, problem.group_names),
        goal.objective(default.objective if objective is None else objective),
        engine=hypergradient,
        recipe=recipe or Recipe(lr=default.lr),
        outer=outer,
        seed=seed,
        rates=rates,
        augmentation=augmentation,
        watch=goal.watch,
        strength=strength,
    )
    if search.hypergradient_steps == 0:
        raise InputError("the recipe leaves no room for a hypergradient: give it more epochs, or a smaller outer.every")
    history: list[dict[str, Any]] = []

    def keep(state: SearchState, record: dict[str, Any]) -> None:
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)

    state = run(search, on_epoch=keep)
    policy, recipe = search.found_policy(state.best), search.found_recipe(state.best)
    found = search.found_strength(state.best)
    searched = search.space.loss(state.best)
    loss, choice = searched, None
    if confidence:
        name = start if isinstance(start, str) else "start"
        fixed = {name: point} | {other: goal.fixed_loss(other, counts).to(counts.device) for other in candidates}
        rows = {SEARCHED: (searched, recipe, policy)} | {
            key: (each, search.recipe, None) for key, each in fixed.items()
        }
        choice = _choose(model, problem, splits, rows, name, metric_of(search.objective), confidence, seed)
        if choice.chosen != SEARCHED:
            loss, recipe = member(choice.chosen, fixed[choice.chosen]), search.recipe
    return SearchResult(loss, history, state.outer_steps, state.skipped, policy, found, recipe, choice, searched)


def _choose(
    model: nn.Module,
    problem: Problem,
    splits: Sequence[Fold],
    rows: Mapping[str, tuple[Loss, Recipe, Policy | None]],
    start: str,
    metric: Metric,
    confidence: float,
    seed: int,
) -> Choice:
    """The choice among losses, each trained from ``model``'s weights on every fold."""
    pool = problem.train.join(problem.validation)
    answers: dict[str, list[Tensor]] = {name: [] for name in rows}
    for rest, held in splits:
        for name, (loss, recipe, policy) in rows.items():
            trained = deepcopy(model)
            train(trained, pool.subset(rest), loss, recipe, seed, policy=policy)
            answers[name].append(outputs(trained, pool.subset(held)).cpu())
    judged = pool.subset(torch.cat([held for _, held in splits])).to("cpu")
    together = {name: torch.cat(parts) for name, parts in answers.items()}
    strata = stratum(judged, problem.bin_edges)
    return choose(together, start, judged.without_inputs(), strata, metric, confidence)


def _problem(
    model: nn.Module, train_set: Part, validation_set: Part, task: str, bins: int | Sequence[float] | Tensor | None
) -> Problem:
    """The samples, where the model is, as a problem without test samples."""
    weight = next(model.parameters())
    if task not in ("classification", "regression"):
        raise InputError(f"no task is called {task!r}; there are classification and regression")
    if task == "classification" and bins is not None:
        raise InputError('bins have no effect on a classification: give task="regression" too')
    convert = as_samples if task == "classification" else as_number_samples
    train, validation = (part.to(weight.device, weight.dtype) for part in convert(train_set, validation_set))
    edges: tuple[float, ...] | None = None
    if task == "regression":
        train, validation = (Samples(part.x, part.y.to(weight.dtype)) for part in (train, validation))
        given = make_bin_edges(train.y, bins) if bins is None or isinstance(bins, int) else check_edges(bins)
        edges = tuple(given.tolist())
    number = int(train.y.max()) + 1 if edges is None else len(edges) - 1
    nothing = train.subset(torch.empty(0, dtype=torch.int64, device=train.y.device))
    names = tuple(map(str, range(number)))
    groups = None if train.group is None else tuple(map(str, range(int(train.group.max()) + 1)))
    return Problem("samples", train, validation, nothing, names, bin_edges=edges, group_names=groups)


def _named(problem: Problem, class_names: Sequence[str] | None, group_names: Sequence[str] | None) -> Problem:
    """The problem with the names that are given in place of numbers."""
    if problem.bin_edges is not None and class_names is not None:
        raise InputError("class_names have no effect on a regression")
    if group_names is not None and not problem.num_groups:
        raise InputError("group_names have no effect: the samples have no groups, give (x, y, group)")
    if class_names is not None:
        problem = replace(problem, class_names=check_names(class_names, problem.num_classes))
    if group_names is not None:
        problem = replace(problem, group_names=check_names(group_names, problem.num_groups, "group"))
    return problem
