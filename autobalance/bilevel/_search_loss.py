"""The search from Python: a model and two sets of samples in, a loss out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from autobalance.bilevel._auto import Auto
from autobalance.bilevel._conduct import conduct
from autobalance.bilevel._guard import member
from autobalance.bilevel._last_layer import LastLayer
from autobalance.bilevel._plan import STRATEGY_SETTINGS, PlanKeywords, SearchPlan, strategy_of
from autobalance.bilevel._prediction_space import PredictionSpace
from autobalance.bilevel._search_result import SearchResult
from autobalance.bilevel._strategy import State
from autobalance.bilevel.watching import Bar
from autobalance.common import Callback, InputError, listening, nearest
from autobalance.common.density import check_edges, make_bin_edges
from autobalance.data import Problem, Samples, check_names
from autobalance.data.intake import Part, Taken, taken
from autobalance.losses import RegressionLoss
from autobalance.models import adapted
from autobalance.training import beside, check_module, setting_of_model

logger = logging.getLogger(__name__)


class SearchKeywords(PlanKeywords, total=False):
    """Further keywords of `search_loss`."""

    on_epoch: Callable[[dict[str, Any]], None] | None
    callbacks: Sequence[Callback]


def search_loss(
    model: nn.Module,
    train_set: Part,
    validation_set: Part,
    *,
    task: str = "classification",
    bins: int | Sequence[float] | Tensor | None = None,
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    progress: bool = False,
    **settings: Unpack[SearchKeywords],
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
        progress: whether to show how far the search is, as one bar on standard error or in the notebook.
        **settings: ``on_epoch``, called with each record of the history, and ``callbacks``, each a `Callback`, which
            are told more. What is searched and how, see `SearchPlan`: ``objective``, ``start``, ``free``, ``tie``,
            ``late``, ``late_start``, ``operations``, ``tie_augment``, ``recipe``, ``folds``, ``candidates``, ``seed``;
            and ``confidence``. The strategy and its settings are ``strategy``, ``budget``, ``hypergradient`` (an
            engine, for example ``Replay(steps=5)``), ``outer`` (an `OuterLoop`) and ``rounds``, see `strategy_of`.
            Where ``confidence`` is left out, only strategies that choose at no cost make a choice; else the searched
            loss is the result.

    Raises:
        InputError (a ValueError): an unknown name, samples that cannot be used, or a recipe too short for a
            single hypergradient.
    """
    start = settings.get("start")
    if isinstance(start, RegressionLoss):
        if bins is not None:
            raise InputError("`bins` have no effect beside a loss to start from, which has its own")
        bins = start.bin_edges
    on_epoch, callbacks = _listeners(settings)
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
    with ExitStack() as watched:
        bars = [watched.enter_context(Bar())] if progress else []
        watched.enter_context(listening(*callbacks, *bars))
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


def _listeners(settings: SearchKeywords) -> tuple[Callable[[dict[str, Any]], None] | None, Sequence[Callback]]:
    """The function and the callbacks that are told of the search.

    Raises:
        InputError: they are none.
    """
    on_epoch, callbacks = settings.get("on_epoch"), settings.get("callbacks", ())
    if on_epoch is not None and not callable(on_epoch):
        raise InputError(f"`on_epoch` is {on_epoch!r:.80}; it has to be a function of a record")
    if not isinstance(callbacks, Sequence) or not all(isinstance(each, Callback) for each in callbacks):
        raise InputError(f"`callbacks` is {callbacks!r:.80}; it has to be a list of autobalance.Callback")
    return on_epoch, callbacks


def _plan(settings: SearchKeywords) -> SearchPlan:
    """The plan of a call's keywords.

    Raises:
        TypeError: one of them is unknown.
    """
    if unknown := set(settings) - SearchKeywords.__annotations__.keys():
        name = sorted(unknown)[0]
        raise TypeError(f"search_loss() has no argument {name!r}{nearest(name, SearchKeywords.__annotations__)}")
    given: dict[str, Any] = {name: value for name, value in settings.items() if name in PlanKeywords.__annotations__}
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
