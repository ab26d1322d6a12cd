"""What a search is asked to do, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from autobalance.bilevel._auto import Auto
from autobalance.bilevel._interleaved import Interleaved
from autobalance.bilevel._last_layer import LastLayer
from autobalance.bilevel._outer_loop import OuterLoop
from autobalance.bilevel._prediction_space import PredictionSpace
from autobalance.bilevel._strategy import Strategy
from autobalance.bilevel._whole_trainings import WholeTrainings
from autobalance.bilevel.space import BOUNDED, FORMS
from autobalance.common import InputError, check_listed, check_one_of, check_value
from autobalance.hypergradients import Engine, Replay
from autobalance.losses import Loss
from autobalance.tasks import Task
from autobalance.tasks.objectives import OwnFunction
from autobalance.training import Recipe


@dataclass(frozen=True)
class SearchPlan:
    """What is searched, how, and which loss is handed out in the end. What is None is left to the task.

    Args:
        objective: what shall be small on validation samples: a name, a sum of names, ``package.module:function``, or a
            function of (output, target, group or None) that gives a scalar.
        start: the fixed loss to start from, by name, or a loss.
        free: what is searched, names of `FREE`.
        tie, late, late_start, form: see `LossSpace`; the published form is for `Interleaved`.
        operations, tie_augment: what is searched of the augmentation, see `AugmentationSpace`.
        strategy: how the searched numbers are moved: `Auto`, `PredictionSpace`, `LastLayer`, `Interleaved` or
            `WholeTrainings`.
        recipe: how models are trained.
        fds_layer: the layer behind which a regression model's features are smoothed (FDS), or none.
        folds: cross-validation folds of all samples that are searched on at once; None: the one split.
        confidence: with which the searched loss has to beat ``start`` and ``candidates`` on held-out samples; where it
            does not, the best of those is handed out. 0: it is handed out unseen. None: as the task or the
            strategy says.
        candidates: further fixed losses by name.
        seed: of weights, splits and the order of the samples.

    Raises:
        InputError: a value that cannot be.
    """

    objective: str | OwnFunction | None = None
    start: str | Loss | None = None
    free: Sequence[str] | None = None
    tie: str | None = None
    late: Sequence[str] = ()
    late_start: float | None = None
    form: str = BOUNDED
    operations: Sequence[str] | None = None
    tie_augment: str | None = None
    strategy: Strategy = field(default_factory=Auto)
    recipe: Recipe | None = None
    fds_layer: str | None = None
    folds: int | None = None
    confidence: float | None = None
    candidates: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("free", "late", "operations", "candidates"):
            if (value := getattr(self, name)) is not None:
                check_listed(name, value)
        check_one_of("form", self.form, FORMS)
        if self.form != BOUNDED and not isinstance(self.strategy, Interleaved):
            raise InputError(f"`form` {self.form} is for the `strategy` interleaved alone: give that, or leave it out")
        check_value("seed", self.seed, at_least=0, below=2**32, whole=True)
        if self.folds is not None:
            check_value("folds", self.folds, at_least=2, whole=True)
        if self.confidence is not None:
            check_value("confidence", self.confidence, at_least=0)
        _check_kind("start", self.start, str | Loss | None, "a loss by its name, or a loss of autobalance")
        _check_kind("tie", self.tie, str | None, "a name")
        _check_kind("recipe", self.recipe, Recipe | None, "a Recipe, as Recipe(epochs=30)")

    def completed(self, task: Task) -> SearchPlan:
        """The plan with what it leaves to the task; the confidence is left to the strategy."""
        default = task.defaults
        return replace(
            self,
            objective=default.objective if self.objective is None else self.objective,
            start=default.start if self.start is None else self.start,
            free=default.free if self.free is None else self.free,
            recipe=_recipe(default.lr) if self.recipe is None else self.recipe,
        )

    @property
    def start_name(self) -> str:
        """What the start is called."""
        return self.start if isinstance(self.start, str) else "start"


def _check_kind(name: str, value: object, kind: Any, words: str) -> None:
    """Raises an InputError for a value of another kind."""
    if not isinstance(value, kind):
        raise InputError(f"`{name}` is {str(value)[:60]!r}, a {type(value).__name__}; it has to be {words}")


def _recipe(lr: float | None) -> Recipe:
    return Recipe() if lr is None else Recipe(lr=lr)


class PlanKeywords(TypedDict, total=False):
    """The keywords that `search_loss` makes a `SearchPlan` of; ``hypergradient``, ``outer`` and ``rounds`` name the
    strategy, see `strategy_of`."""

    objective: str | OwnFunction | None
    start: str | Loss | None
    free: Sequence[str] | None
    tie: str | None
    late: Sequence[str]
    late_start: float | None
    form: str
    operations: Sequence[str] | None
    tie_augment: str | None
    hypergradient: Engine | None
    outer: OuterLoop | None
    rounds: int | None
    recipe: Recipe | None
    fds_layer: str | None
    folds: int | None
    confidence: float | None
    strategy: str | None
    budget: float | None
    candidates: Sequence[str]
    seed: int


#: The names of the strategies; None leaves the choice to the other settings.
STRATEGIES = ("auto", "prediction", "last-layer", "interleaved", "whole")
#: What `strategy_of` takes of a call's keywords.
STRATEGY_SETTINGS = ("strategy", "budget", "hypergradient", "outer", "rounds")


def strategy_of(
    strategy: str | None = None,
    budget: float | None = None,
    hypergradient: Engine | None = None,
    outer: OuterLoop | None = None,
    rounds: int | None = None,
    folds: int | None = None,
) -> Strategy:
    """The strategy of a name and its settings.

    Args:
        strategy: one of `STRATEGIES`; None: ``whole`` where rounds are given, else ``auto``.
        budget: of ``auto``, and of the portfolio of ``prediction``.
        hypergradient, outer: of the search within one training, by itself or as the second phase of ``auto``.
        rounds: of ``whole``.
        folds: of ``prediction``.

    Raises:
        InputError: an unknown name, or a setting that has no effect.
    """
    _check_kind("outer", outer, OuterLoop | None, "an OuterLoop, as OuterLoop(every=20)")
    if hypergradient is not None and not callable(hypergradient):
        raise InputError(f"`hypergradient` is {hypergradient!r}; it has to be an engine, as Replay(steps=5)")
    name = strategy or ("auto" if rounds is None else "whole")
    check_one_of("strategy", name, STRATEGIES)
    given = {"budget": budget, "hypergradient": hypergradient, "outer": outer, "rounds": rounds}
    known = {
        "auto": {"budget", "hypergradient", "outer"},
        "prediction": {"budget"},
        "whole": {"rounds"},
        "last-layer": set(),
    }
    for setting in given.keys() - known.get(name, {"hypergradient", "outer"}):
        if given[setting] is not None:
            raise InputError(f"`{setting}` has no effect with the `strategy` {name}: leave one of the two out")
    if name == "whole":
        return WholeTrainings() if rounds is None else WholeTrainings(rounds)
    if name == "last-layer":
        if folds is not None:
            raise InputError("`folds` have no effect with the `strategy` last-layer, which has two halves")
        return LastLayer()
    within = Interleaved(hypergradient or Replay(), outer or OuterLoop())
    if name == "interleaved":
        return within
    spent = {} if budget is None else {"budget": budget}
    return Auto(**spent, interleaved=within) if name == "auto" else PredictionSpace(**spent, folds=folds)
