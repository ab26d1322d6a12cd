"""The search that a budget buys: prediction space first, then hypergradients through unrolled training steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch

from autobalance.bilevel._guard import GROUP_CONFIDENCE, SEARCHED, Choice, doubted
from autobalance.bilevel._interleaved import Interleaved, InterleavedSearch, InterleavedState
from autobalance.bilevel._last_layer import LastLayer
from autobalance.bilevel._outputs import packed, unpacked
from autobalance.bilevel._prediction_space import (
    CONFIDENCE,
    SPLIT_COST,
    PredictionSpace,
    PredictionSpaceSearch,
    PredictionSpaceState,
)
from autobalance.bilevel._strategy import Search, Strategy
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found
from autobalance.common import InputError, check_value
from autobalance.data import Batch, stratum
from autobalance.hypergradients import Engine, processes
from autobalance.tasks.metrics import Outputs
from autobalance.tasks.objectives import Constrained

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

#: What the search within one training costs, in plain trainings; half of it for a regression, whose folds are halves.
INTERLEAVED_COST, ON_HALF = 1.4, 0.7


@dataclass(frozen=True)
class Auto:
    """Prediction space, then the search within one training for all that is free beside l; where samples have groups,
    the search on last layers.

    Offsets, which are what prediction space finds, know no groups: what they do for a cell they do to others.

    Args:
        budget: what the search may cost, its choice included, in plain trainings.
        interleaved: the second phase.
        second_confidence: with which what that finds has to beat the first phase, where the plan asks for a choice;
            more than the start has to be beaten with, for one training's outputs on one split are little to go by.

    Raises:
        InputError: a budget below 1, or a confidence that is none.
    """

    budget: float = 4.0
    interleaved: Interleaved = field(default_factory=Interleaved)
    second_confidence: float = 0.9

    confidence: ClassVar[float] = CONFIDENCE
    group_confidence: ClassVar[float] = GROUP_CONFIDENCE

    def __post_init__(self) -> None:
        check_value("budget", self.budget, at_least=1)
        check_value("second_confidence", self.second_confidence, at_least=0, below=1)

    @property
    def hypergradient(self) -> Engine:
        """The second phase's."""
        return self.interleaved.hypergradient

    def on(self, bench: Bench) -> Strategy:
        """See `Strategy`: the search within one training alone where models cannot train side by side or l is not free;
        with groups `LastLayer` where it can search this and nothing is asked for that it has not; else itself."""
        alone = bench.recipe.compiled or processes() > 1 or bench.sees_targets
        if alone or (not bench.of_numbers and "l" not in bench.free):
            return self.interleaved
        plan = bench.plan
        asked = plan.candidates or plan.folds or isinstance(bench.objective, Constrained)
        if bench.setting.problem.num_groups and not asked and set(bench.free) <= set(bench.task.defaults.free):
            with suppress(InputError):
                (last := LastLayer()).check(bench)
                return last
        return self

    def search(self, bench: Bench) -> Search:
        """See `Strategy`."""
        rest = bench.free if bench.of_numbers else tuple(name for name in bench.free if name != "l")
        cost = ON_HALF if bench.of_numbers else INTERLEAVED_COST
        reserved = cost if rest and self.budget >= cost + SPLIT_COST else 0.0
        first = PredictionSpace(self.budget - reserved, bench.plan.folds).search(bench)
        return AutoSearch(first, self, rest, bench) if reserved else first


@dataclass(frozen=True)
class AutoState:
    """Where both phases stand, see `State`.

    Args:
        first: of prediction space.
        chosen: what the first phase hands on, what it found or a fixed loss by its name; None before it is done.
        second: of the search within one training; None before it begins.
        outputs: the second phase's outputs on its validation samples, once it is done.
        used: whether what it found is used.
    """

    first: PredictionSpaceState
    chosen: str | None = None
    second: InterleavedState | None = None
    outputs: Outputs | None = None
    used: bool = False

    @property
    def done(self) -> int:
        return self.first.done + (0 if self.second is None else self.second.done)

    @property
    def outer_steps(self) -> int:
        return self.first.outer_steps + (0 if self.second is None else self.second.outer_steps)

    @property
    def skipped(self) -> int:
        return 0 if self.second is None else self.second.skipped

    @property
    def skipped_in_a_row(self) -> int:
        return 0 if self.second is None else self.second.skipped_in_a_row

    def to_dict(self) -> dict[str, Any]:
        """See `State`."""
        second = None if self.second is None else self.second.to_dict()
        return {**vars(self), "first": self.first.to_dict(), "second": second, "outputs": packed(self.outputs)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `State`."""
        second = None if content["second"] is None else InterleavedState.from_dict(content["second"], device)
        first = PredictionSpaceState.from_dict(content["first"], device)
        return cls(**{**content, "first": first, "second": second, "outputs": unpacked(content["outputs"])})


class AutoSearch:
    """The search of `Auto`, see `Search`.

    The second phase starts from what the first hands out, and trains on what the first fold of the first phase was
    trained on: more samples would make it look better whatever it found. That is used where its outputs on what this
    fold holds out beat the first phase's on the same samples, with the confidence that was asked for.
    """

    parts = 1
    state = AutoState

    def __init__(self, first: PredictionSpaceSearch, auto: Auto, free: tuple[str, ...], bench: Bench) -> None:
        self.first, self._second, self._free = first, auto.interleaved, free
        self._bench = bench if first.first_fold is None else bench.on(first.first_fold)
        self.trainee, self.unroll = first.trainee, auto.hypergradient.steps
        self._validation = self._bench.setting.problem.validation.without_inputs()
        self._needed = auto.second_confidence if bench.plan.confidence else 0.0
        self._check(first.found(first.init()))
        self.length = first.length + bench.recipe.epochs

    def _check(self, found: Found) -> None:
        """Raises an InputError where the second phase cannot be: before the first takes time."""
        self._second.of(self._trainee(found), self._bench.plan.seed)

    def _trainee(self, found: Found) -> Trainee:
        bench = self._bench
        counts = bench.counts(None)
        equal = bool((counts == counts.flatten()[0]).all())
        arm = bench.arm(SEARCHED, found.loss, found.head, found.recipe)
        return bench.trainee(arm, None, self._free, bench.plan.tie or ("class" if equal else "frequency"))

    def _search(self, state: AutoState) -> InterleavedSearch:
        """The second phase, from what the first hands out."""
        found = self.first.found(state.first if state.chosen == SEARCHED else self.first.init())
        return self._second.of(self._trainee(found), self._bench.plan.seed)

    def init(self) -> AutoState:
        """See `Search`."""
        return AutoState(self.first.init())

    def phase(self, state: AutoState) -> str:
        """See `Search`."""
        if state.first.done < self.first.length:
            return self.first.phase(state.first)
        return "search" if state.second is None else self._search(state).phase(state.second)

    def step(
        self, state: AutoState, on_share: Callable[[float], None] | None = None
    ) -> tuple[AutoState, dict[str, Any]]:
        """A step of the phase that it is in."""
        if state.first.done < self.first.length:
            first, record = self.first.step(state.first, on_share)
            if first.done == self.first.length:
                choice = self.first.choice(first)
                state = replace(state, chosen=SEARCHED if choice is None else choice.chosen)
            return replace(state, first=first), record
        search = self._search(state)
        second, record = search.step(state.second or search.init(), on_share)
        state = replace(state, second=second)
        if second.done == search.length:
            state = replace(state, outputs=search.trainee.held_out(second.inner)[0].cpu())
            state = replace(state, used=self._accepted(state))
        return state, {**record, "epoch": state.done}

    def found(self, state: AutoState) -> Found:
        """See `Search`."""
        if not state.used:
            return self.first.found(state.first)
        assert state.second is not None
        return self._search(state).found(state.second)

    def choice(self, state: AutoState) -> Choice | None:
        """See `Search`: the first phase's, or that of the second against the start where the second is used."""
        if not state.used:
            return self.first.choice(state.first)
        second, first, judged = self._compared(state)
        start = self._bench.plan.start_name
        choice = self.first.compare({SEARCHED: second, start: first[start]}, judged, start)
        return replace(choice, chosen=SEARCHED)  # it beat what had beaten the start

    def _accepted(self, state: AutoState) -> bool:
        """Whether the second phase's outputs beat those of what it started from."""
        assert state.chosen is not None
        second, first, judged = self._compared(state)
        before, start = first[state.chosen], self._bench.plan.start_name
        outputs: dict[str, Outputs] = {SEARCHED: second, start: before}
        if not self._bench.of_numbers:  # it followed these very samples, and of some classes there are few
            outputs, judged = doubted(outputs, judged, stratum(judged, None))
        against = self.first.compare(outputs, judged, start, self._needed)
        # constraints that it meets and the first phase misses on these few samples are no reason without confidence
        return against.chosen == SEARCHED and against.confidence >= self._needed

    def _compared(self, state: AutoState) -> tuple[Outputs, dict[str, Outputs], Batch]:
        """The second phase's outputs, the first's by name, and the validation samples that both held out."""
        assert state.outputs is not None and state.first.crossed is not None
        first = {**state.first.outputs, SEARCHED: state.first.crossed}
        number = len(state.outputs)  # the first fold's are the first of all
        return state.outputs, {name: output[:number] for name, output in first.items()}, self._validation
