"""The search from Python: a model and two sets of samples in, a loss out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from autobalance.bilevel._auto import Auto
from autobalance.bilevel._conduct import conduct
from autobalance.bilevel._guard import Choice, member
from autobalance.bilevel._last_layer import LastLayer
from autobalance.bilevel._plan import STRATEGY_SETTINGS, PlanKeywords, SearchPlan, strategy_of
from autobalance.bilevel._prediction_space import PredictionSpace
from autobalance.bilevel._strategy import State
from autobalance.common import InputError, nearest, write_text
from autobalance.common.density import check_edges, make_bin_edges
from autobalance.data import Problem, Samples, check_names
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.data.intake import Part, Taken, taken
from autobalance.losses import Member, RegressionLoss, ScheduledLoss, save_loss
from autobalance.models import adapted
from autobalance.training import AUGMENTATION_FILE, BESIDE, Recipe, beside, check_module, setting_of_model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchResult:
    """A searched loss and how it came about.

    Args:
        loss: the loss to use: the searched one, or the chosen one where a choice was asked for; an ``nn.Module``,
            called as ``loss(logits, target)``, with groups ``loss(logits, target, group=g)``, for
            regression ``loss(prediction, target)``.
        history: one record an epoch (or whole training): phase, epoch, train_loss, objective, the parameters that were
            trained with, and on the validation samples balanced_error (percent) or balanced_mae and mae; for classes
            also objective_metric, the objective's exact metric in percent, and with groups worst_group_error, deo and
            group_balanced_error.
        outer_steps, skipped_steps: hypergradient steps taken, and steps not taken because a value was not finite.
        augmentation: the policy that was found, called as ``x, y = policy(x, y)``; None where it was not searched.
        fds_strength: the strength of the model's feature-distribution smoothing; None where it was not searched.
        recipe: how to train with ``loss``: as given, with what was found of it where that was searched.
        choice: which loss was chosen and how sure that is; None where no choice was asked for.
        searched: the searched loss, chosen or not.
        diverged: why a training of the choice counts as a constant prediction, by ``loss/fold``; those of the search
            are in its history.
        beside: what belongs to ``loss``, as plain values: see `autobalance.training.beside`.
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
    diverged: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes ``loss.json``, ``history.jsonl`` and, where there is one, ``augmentation.json`` to ``directory``.

        The directory is made where it is missing.
        """
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        save_loss(self.loss, place / "loss.json", {BESIDE: self.beside})
        if self.augmentation is not None:
            save_augmentation(self.augmentation, place / AUGMENTATION_FILE)
        write_text(place / "history.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))


def search_loss(
    model: nn.Module,
    train_set: Part,
    validation_set: Part,
    *,
    task: str = "classification",
    bins: int | Sequence[float] | Tensor | None = None,
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    **settings: Unpack[PlanKeywords],
) -> SearchResult:
    """Searches the training loss that makes an objective small on the validation samples.

    Args:
        model: the network, (B, ...) -> (B, K) logits, or an answer that has them as ``.logits``; for regression ->
            (B,) or (B, 1) in the unit of the targets. Samples of several inputs are given to it as `Adapted` says. It
            is copied; its weights stay as they are.
        train_set, validation_set: (x, y) of arrays, tensors or pandas tables, a ``Dataset`` or ``DataLoader`` of such
            items, a dict of columns with ``labels``, or `Samples`; see `autobalance.data.intake.taken`. Classes are
            0..K-1 or names, each with samples in both; for regression y holds finite numbers. Floats are moved to the
            model's device and floating-point type, integers stay integers. With groups (x, y, group), groups 0..G-1:
            every class with training samples in every group.
        task: ``classification`` or ``regression``.
        bins: for regression, how many bins the training targets are sorted into, or the bins' K + 1 edges; None: those
            of ``start`` where it is a loss, else see `make_bin_edges`.
        class_names, group_names: K and G names that are kept with the loss.
        on_epoch: called with each record of the history.
        **settings: what is searched and how, see `SearchPlan`: ``objective``, ``start``, ``free``, ``tie``, ``late``,
            ``late_start``, ``operations``, ``tie_augment``, ``recipe``, ``folds``, ``candidates``, ``seed``; and
            ``confidence``. The strategy and its settings are ``strategy``, ``budget``, ``hypergradient`` (an engine,
            for example ``Replay(steps=5)``), ``outer`` (an `OuterLoop`) and ``rounds``, see `strategy_of`. Where
            ``confidence`` is left out, only strategies that choose at no cost make a choice; else the searched loss
            is the result.

    Raises:
        InputError (a ValueError): an unknown name, samples that cannot be used, or a recipe too short for a
            single hypergradient.
    """
    start = settings.get("start")
    if isinstance(start, RegressionLoss):
        if bins is not None:
            raise InputError("`bins` have no effect beside a loss to start from, which has its own")
        bins = start.bin_edges
    if on_epoch is not None and not callable(on_epoch):
        raise InputError(f"`on_epoch` is {on_epoch!r:.80}; it has to be a function of a record")
    check_module(model)
    weight = next(model.parameters())
    _check_task(task, bins)
    given = taken(train_set, validation_set, task == "regression")
    _check_redrawn(given, settings.get("folds"))
    problem = _problem(given, weight, bins, task)
    problem = _named(problem, class_names or given.class_names, group_names)
    history: list[dict[str, Any]] = []

    def keep(state: State, record: dict[str, Any]) -> None:
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)

    setting = setting_of_model(problem, adapted(model, problem.train.first(2), given.packing))
    done = conduct(_plan(settings), setting, keep)
    return SearchResult(
        member(done.arm.name, done.arm.loss),
        history,
        done.state.outer_steps,
        done.state.skipped,
        done.found.policy,
        done.found.strength,
        done.arm.recipe,
        done.choice,
        done.found.loss,
        done.diverged,
        beside(done.arm, done.checked.recipe),
    )


def _plan(settings: PlanKeywords) -> SearchPlan:
    """The plan of a call's keywords.

    Raises:
        TypeError: one of them is unknown.
    """
    if unknown := set(settings) - PlanKeywords.__annotations__.keys():
        name = sorted(unknown)[0]
        raise TypeError(f"search_loss() has no argument {name!r}{nearest(name, PlanKeywords.__annotations__)}")
    given: dict[str, Any] = dict(settings)
    of_strategy = {name: given.pop(name, None) for name in STRATEGY_SETTINGS}
    strategy = strategy_of(**of_strategy, folds=given.get("folds"))
    if not isinstance(strategy, Auto | PredictionSpace | LastLayer):  # whose choice costs nothing
        given.setdefault("confidence", 0.0)
    return SearchPlan(strategy=strategy, **given)


def _check_task(task: str, bins: object) -> None:
    if task not in ("classification", "regression"):
        raise InputError(f"no task is called {task!r}; there are classification and regression")
    if isinstance(bins, str):
        raise InputError(f"`bins` is {bins!r}; it has to be a whole number, or the edges of the bins")
    if task == "classification" and bins is not None:
        raise InputError('`bins` have no effect on a classification: give task="regression" too')


def _check_redrawn(given: Taken, folds: int | None) -> None:
    """What random transforms mean for a search: they are for training, and nothing is judged by them."""
    if given.redrawn and folds is not None:
        raise InputError(
            f"`folds` {folds} would judge by samples of the training set, whose random transforms change them: leave "
            "`folds` out, or give samples without them and a recipe with `augment`"
        )
    if "val" in given.redrawn:
        logger.warning(
            "the validation set has random transforms, so each look at it sees other samples: give it none, unless "
            "that is meant"
        )


def _problem(given: Taken, weight: Tensor, bins: int | Sequence[float] | Tensor | None, task: str) -> Problem:
    """The samples, where the model is, as a problem without test samples. With random transforms only the validation
    samples judge."""
    dtype = None if given.packing is not None and given.packing.mixed else weight.dtype
    train, validation = (part.to(weight.device, dtype) for part in (given.train, given.validation))
    if train.shape != validation.shape:
        raise InputError(
            f"the training samples have shape {train.shape}, the validation samples {validation.shape}: make them equal"
        )
    edges: tuple[float, ...] | None = None
    if task == "regression":
        train, validation = (Samples(part.x, part.y.to(weight.dtype)) for part in (train, validation))
        made = make_bin_edges(train.y, bins) if bins is None or isinstance(bins, int) else check_edges(bins)
        edges = tuple(made.tolist())
    number = int(train.y.max()) + 1 if edges is None else len(edges) - 1
    nothing = train.subset(torch.empty(0, dtype=torch.int64, device=train.y.device))
    names = tuple(map(str, range(number)))
    groups = None if train.group is None else tuple(map(str, range(int(train.group.max()) + 1)))
    own = bool(given.redrawn)
    return Problem("samples", train, validation, nothing, names, None, edges, own, groups)


def _named(problem: Problem, class_names: Sequence[str] | None, group_names: Sequence[str] | None) -> Problem:
    """The problem with the names that are given in place of numbers."""
    if problem.bin_edges is not None and class_names is not None:
        raise InputError("`class_names` have no effect on a regression")
    if group_names is not None and not problem.num_groups:
        raise InputError("`group_names` have no effect: the samples have no groups, give (x, y, group)")
    if class_names is not None:
        problem = replace(problem, class_names=check_names(class_names, problem.num_classes))
    if group_names is not None:
        problem = replace(problem, group_names=check_names(group_names, problem.num_groups, "group"))
    return problem
