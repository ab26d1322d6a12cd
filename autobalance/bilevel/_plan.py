"""What a search is asked to do, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from autobalance.bilevel._interleaved import Interleaved, OuterLoop
from autobalance.bilevel._strategy import Strategy
from autobalance.bilevel._whole_trainings import WholeTrainings
from autobalance.common import InputError
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
        tie, late, late_start: see `LossSpace`.
        operations, tie_augment: what is searched of the augmentation, see `AugmentationSpace`.
        strategy: how the searched numbers are moved: `Interleaved` or `WholeTrainings`.
        recipe: how models are trained.
        fds_layer: the layer behind which a regression model's features are smoothed (FDS), or none.
        folds: cross-validation folds of all samples that are searched on at once; None: the one split.
        confidence: with which the searched loss has to beat ``start`` and ``candidates`` on held-out samples of folds
            (``folds``, or 3); where it does not, the best of those is handed out. 0: it is handed out unseen.
        candidates: further fixed losses by name.
        seed: of weights, splits and the order of the samples.
    """

    objective: str | OwnFunction | None = None
    start: str | Loss | None = None
    free: Sequence[str] | None = None
    tie: str = "frequency"
    late: Sequence[str] = ()
    late_start: float | None = None
    operations: Sequence[str] | None = None
    tie_augment: str | None = None
    strategy: Strategy = field(default_factory=Interleaved)
    recipe: Recipe | None = None
    fds_layer: str | None = None
    folds: int | None = None
    confidence: float = 0.8
    candidates: Sequence[str] = ()
    seed: int = 0

    def completed(self, task: Task) -> SearchPlan:
        """The plan with what it leaves to the task."""
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


def _recipe(lr: float | None) -> Recipe:
    return Recipe() if lr is None else Recipe(lr=lr)


class PlanKeywords(TypedDict, total=False):
    """The keywords that `search_loss` makes a `SearchPlan` of; ``hypergradient``, ``outer`` and ``rounds`` name the
    strategy, see `strategy_of`."""

    objective: str | OwnFunction | None
    start: str | Loss | None
    free: Sequence[str] | None
    tie: str
    late: Sequence[str]
    late_start: float | None
    operations: Sequence[str] | None
    tie_augment: str | None
    hypergradient: Engine | None
    outer: OuterLoop | None
    rounds: int | None
    recipe: Recipe | None
    fds_layer: str | None
    folds: int | None
    confidence: float
    candidates: Sequence[str]
    seed: int


def strategy_of(
    hypergradient: Engine | None = None, outer: OuterLoop | None = None, rounds: int | None = None
) -> Strategy:
    """`WholeTrainings` where ``rounds`` are given, else `Interleaved` with the engine and the outer loop.

    Raises:
        InputError: rounds, and something that has no effect beside them.
    """
    if rounds is None:
        return Interleaved(hypergradient or Replay(), outer or OuterLoop())
    if hypergradient is not None or outer is not None:
        what = "`hypergradient`" if hypergradient is not None else "an `outer` loop"
        raise InputError(
            f"{what} has no effect beside `rounds`, which replay whole trainings: leave one of the two out"
        )
    return WholeTrainings(rounds)
