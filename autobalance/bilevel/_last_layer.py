"""The search on the features of trained models: only their last layers are trained again, exactly and in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from autobalance.bilevel._guard import SEARCHED, Choice
from autobalance.bilevel._halves import Half, Numbers, dealt_by_cell
from autobalance.bilevel._prediction_space import CONFIDENCE, PredictionSpaceSearch, PredictionSpaceState
from autobalance.bilevel._strategy import on_device
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found
from autobalance.common import InputError, check_value
from autobalance.data import Batch
from autobalance.hypergradients import Replay
from autobalance.losses import ParametricLoss
from autobalance.models import output_layer
from autobalance.tasks.objectives import Objective

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

#: The confidence of a difference by one standard error: what numbers for cells of few samples need.
STANDARD_ERROR = 0.84
#: What it moves.
MOVED = ("w", "l")


@dataclass(frozen=True)
class LastLayer:
    """Trains the start on two halves, and moves w and l of every cell by exact hypergradients through the last layer.

    Each half's model has features of the samples that it was not trained on. On these, last layers are trained with the
    searched loss to their optimum and judged by cross-validation, and the derivative of the objective through that
    optimum moves the numbers, and the last layers' decay (see `LastLayers` and `Half`). What is found on one half is
    judged on the other, which decides whether it beats what the halves' own models answer; their mean is handed out. It
    costs one plain training, that of two halves, and some seconds. Where the source brings validation samples of its
    own, one model is trained, and these are halved.

    A whole training with the loss that is found comes out as the last layers do as far as it does not fit its training
    samples exactly: where it does, w has little effect (Byrd and Lipton 2019).

    Args:
        steps: of the searched numbers.

    Raises:
        InputError: fewer than one step.
    """

    steps: int = 6

    confidence: ClassVar[float] = CONFIDENCE
    group_confidence: ClassVar[float] = STANDARD_ERROR

    def __post_init__(self) -> None:
        check_value("steps", self.steps, at_least=1, whole=True)

    @property
    def hypergradient(self) -> Replay:
        """None is taken within a training; the engine that could be, for what folds go with."""
        return Replay()

    def on(self, bench: Bench) -> LastLayer:
        """See `Strategy`: itself."""
        return self

    def check(self, bench: Bench) -> None:
        """Looks whether it can search this.

        Raises:
            InputError: a regression, smoothed features, neither w nor l free, a start that is not convex, or a model
                whose logits are not the output of a linear layer.
        """
        if bench.of_numbers or bench.sees_targets:
            raise InputError("the `strategy` last-layer is for classes: use prediction or interleaved")
        if not self._free(bench):
            raise InputError("the `strategy` last-layer moves w and l: leave one of them among what is `free`")
        arm = bench.start(bench.counts(None))
        if not isinstance(arm.loss, ParametricLoss) or float(arm.loss.gamma) or arm.head != "linear":
            raise InputError(
                f"the `strategy` last-layer needs a `start` that is convex and stays as it is, not {arm.name}: a loss "
                "of w, l, delta, margin and scale"
            )
        output_layer(bench.model(arm), bench.setting.problem.train.first(2))

    def _free(self, bench: Bench) -> tuple[str, ...]:
        return tuple(name for name in bench.free if name in MOVED)

    def search(self, bench: Bench) -> LastLayerSearch:
        """See `Strategy`; raises as `check` does."""
        self.check(bench)
        folds = None if bench.setting.problem.own_validation else bench.folds(2)
        arm = bench.start(bench.counts(folds))
        return LastLayerSearch(bench.trainee(arm, folds, self._free(bench)), bench, self.steps)


@dataclass(frozen=True)
class LastLayerState:
    """Where the search stands, see `State`.

    Args:
        first: the training on the halves.
        raw: what was found; None before that.
        crossed: outputs, (N, K), of last layers with the numbers of the other half.
        outer_steps: changes of the numbers.
    """

    first: PredictionSpaceState
    raw: dict[str, Tensor] | None = None
    crossed: Tensor | None = None
    outer_steps: int = 0

    @property
    def done(self) -> int:
        return self.first.done + (self.raw is not None)

    @property
    def skipped(self) -> int:
        return self.first.skipped

    @property
    def skipped_in_a_row(self) -> int:
        return self.first.skipped_in_a_row

    def to_dict(self) -> dict[str, Any]:
        """See `State`."""
        return {**vars(self), "first": self.first.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `State`."""
        first, raw = PredictionSpaceState.from_dict(content["first"], device), on_device(content["raw"], device)
        return cls(**{**content, "first": first, "raw": raw})


class _Searched(NamedTuple):
    """What a search on both halves comes to: the numbers of each, their mean, and outputs as in `LastLayerState`."""

    numbers: list[Numbers]
    raw: dict[str, Tensor]
    crossed: Tensor


class LastLayerSearch:
    """The search of `LastLayer`: the epochs of the halves, then one step on their features; see `Search`."""

    parts = 1
    state = LastLayerState
    unroll = 0

    def __init__(self, trainee: Trainee, bench: Bench, steps: int) -> None:
        self.trainee, self._bench, self._steps = trainee, bench, steps
        self._first = PredictionSpaceSearch({bench.plan.start_name: trainee}, bench)
        self.length = self._first.length

    def found(self, state: LastLayerState) -> Found:
        """See `Search`."""
        return self.trainee.found(self.trainee.space.init() if state.raw is None else state.raw)

    def choice(self, state: LastLayerState) -> Choice | None:
        """See `Search`: last layers with the numbers of the other half against the models that were trained with the
        start. (Against last layers with the start it would win where these alone are worse than the models.)"""
        if state.crossed is None:
            return None
        start = self._bench.plan.start_name
        outputs = {SEARCHED: state.crossed, start: state.first.outputs[start]}
        return self._first.compare(outputs, self.trainee.judged, start)

    def init(self) -> LastLayerState:
        """See `Search`."""
        return LastLayerState(self._first.init())

    def phase(self, state: LastLayerState) -> str:
        """See `Search`."""
        return "last layer" if state.done >= self.length - 1 else self._first.phase(state.first)

    def step(
        self, state: LastLayerState, on_share: Callable[[float], None] | None = None
    ) -> tuple[LastLayerState, dict[str, Any]]:
        """An epoch of the halves, or the search on their features."""
        if state.done < self.length - 1:
            first, record = self._first.step(state.first, on_share)
            return replace(state, first=first), record
        places = self._places()
        halves = self._halves(state.first, places)
        starts = [half.start() for half in halves]
        found = self._searched(halves, starts, places)
        state = replace(
            state,
            first=replace(state.first, inner=None),
            raw=found.raw,
            crossed=found.crossed,
            outer_steps=self._steps * len(halves),
        )
        judged = self.trainee.judged
        figures = self.trainee.figures(found.crossed.to(judged.y.device), judged)
        described = self.trainee.space.describe(found.raw)
        return state, {"phase": "last layer", "epoch": state.done, "train_loss": None, **figures, **described}

    def along(self, state: LastLayerState, objectives: Sequence[Objective]) -> list[tuple[Found, Tensor]]:
        """What is found for several objectives, such as blends of two, each from where the one before it ended.

        Args:
            state: before the last step: the halves are trained.
            objectives: in their order.

        Returns:
            for each what it finds, and held-out outputs, (N, K), in the order of ``trainee.judged``, with the numbers
            of the other half.
        """
        places, stops = self._places(), []
        halves = self._halves(state.first, places)
        numbers = [half.start() for half in halves]
        for objective in objectives:
            for half in halves:
                half.objective = objective
            found = self._searched(halves, numbers, places)
            numbers = found.numbers
            stops.append((self.trainee.found(found.raw), found.crossed))
        return stops

    def _searched(self, halves: Sequence[Half], starts: Sequence[Numbers], places: Sequence[Tensor]) -> _Searched:
        found = [half.search(start, self._steps) for half, start in zip(halves, starts, strict=True)]
        crossed = [half.crossed(numbers) for half, numbers in zip(halves, reversed(found), strict=True)]
        mean = {name: (value + found[1].raw[name]) / 2 for name, value in found[0].raw.items()}
        raw = {name: value.float() for name, value in mean.items()}
        return _Searched(found, raw, in_order(crossed, places))

    def _places(self) -> list[Tensor]:
        """Of each half, the positions of its samples among those that were held out."""
        judged, folds = self.trainee.judged, self.trainee.folds
        if folds:
            return list(torch.arange(len(judged.y)).chunk(folds))
        half = dealt_by_cell(judged, self._bench.plan.seed, 2)
        return [(half == number).nonzero()[:, 0] for number in range(2)]

    def _halves(self, state: PredictionSpaceState, places: Sequence[Tensor]) -> list[Half]:
        """The halves, by the features that the trained models have of them."""
        assert state.inner is not None
        features, judged = self.trainee.held_out_features(state.inner).double(), self.trainee.judged
        space, bench, halves = self.trainee.space.loss, self._bench, []
        for place in places:
            group = None if judged.group is None else judged.group[place]
            batch = Batch(judged.x[:0], judged.y[place], group)
            halves.append(Half(features[place], batch, space, bench.objective, bench.plan.seed))
        return halves


def in_order(parts: Sequence[Tensor], places: Sequence[Tensor]) -> Tensor:
    """The outputs of several parts, each at its places, on the CPU."""
    number = sum(map(len, places))
    whole = parts[0].new_empty(number, parts[0].shape[1], device="cpu")
    for part, place in zip(parts, places, strict=True):
        whole[place] = part.cpu()
    return whole
