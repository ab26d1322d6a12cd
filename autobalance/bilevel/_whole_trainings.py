"""The search by whole trainings: each is differentiated through from its last step to its first, exactly.

Hypergradients through a few steps are biased (Wu et al. 2018): they see what a change does at once, not what it does to
the finished model. In l their sign was right in 14 of 22 trainings, in w in 13 (experiments/horizon.py). Where a
training is short enough, all of it can be differentiated through, at the price of training about three times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import torch
from torch import Tensor

from autobalance.bilevel._guard import GROUP_CONFIDENCE
from autobalance.bilevel._strategy import on_device, tell_hypergradient
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

from autobalance.common import InputError, check_value
from autobalance.data import Batch
from autobalance.hypergradients import RECIPE_PARAMETERS, Hypergradient, Replay, random_state, set_random_state

#: The second derivative of the objective in each searched number, as a share of the objective, as it typically was on
#: the development problems (experiments/plans/development.yaml): a step of Newton's method divides the gradient by it.
CURVATURE: Mapping[str, float] = {"w": 0.1, "l": 1.0, "delta": 0.1, "log_lr": 0.2, "log_weight_decay": 0.002}
#: The furthest a number may go, down and up. A learning rate that is much too high breaks a training, one that is too
#: low does not; and weight decay matters by its factor.
TRUST: Mapping[str, tuple[float, float]] = {
    "w": (-1.0, 1.0),
    "l": (-0.5, 0.5),
    "delta": (-1.0, 1.0),
    "log_lr": (-0.7, 0.4),
    "log_weight_decay": (-1.4, 2.3),
}
#: Effective validation samples at which a step of the loss's own parameters is half as long as Newton's.
HALF_TRUSTED = 1000
#: An objective is taken to be this large at least, when a gradient is compared with it.
SMALLEST = 1e-6
#: By how much the steps are cut after one that made the objective larger.
CUT = 0.3
#: Copies of weights are kept of every step up to this many numbers in all, else of every √T-th step.
MOST_STORED = 2**26


@dataclass(frozen=True)
class WholeTrainings:
    """R trainings from the same weights on the same batches, and a step of the searched numbers after each.

    The gradient g of the objective on all validation samples in the searched numbers a, through every step of the
    training, gives the next numbers:

        a ← clip(a* - s c_i g_i / (h_i E)),    c_i = n / (n + 1000) for the loss's parameters, 1 for the recipe's

    with the best numbers a* so far, their objective E and its gradient, typical second derivatives h (`CURVATURE`), the
    bounds of `TRUST`, and s = 1 until a training ends with a larger objective than that at a*, which cuts it to 0.3 s.
    n is the effective number of validation samples of a balanced mean, N K² / Σ_k (1 / share_k): the fewer there are of
    the rarest classes, the closer the loss stays to its start.

    Multipliers of constraints stay 0, so that E means the same in every round: a violation v adds ρ v² / 2, as
    `Constrained` says, and whether the constraints are met is left to the choice.

    Args:
        rounds: R. The numbers after the last training are not trained with any more.

    Raises:
        InputError: fewer than one round.
    """

    rounds: int = 1

    confidence: ClassVar[float] = 0.8
    group_confidence: ClassVar[float] = GROUP_CONFIDENCE

    def __post_init__(self) -> None:
        check_value("rounds", self.rounds, at_least=1, at_most=1000, whole=True)

    @property
    def hypergradient(self) -> Replay:
        """The engine; how many steps it goes back through, the training says."""
        return Replay()

    def on(self, bench: Bench) -> WholeTrainings:
        """See `Strategy`: itself."""
        return self

    def search(self, bench: Bench) -> WholeTrainingsSearch:
        """See `Strategy`."""
        return self.of(bench.planned(), bench.plan.seed)

    def of(self, trainee: Trainee, seed: int) -> WholeTrainingsSearch:
        """The search of a trainee; ``seed`` is of the order of the samples.

        Raises:
            InputError: what changes from epoch to epoch (a schedule of losses, feature smoothing, compiled steps), or
                what no curvature is known of.
        """
        space = trainee.space
        if space.smoothing is not None or trainee.sees_targets:
            raise InputError("feature smoothing changes with every epoch, which `rounds` cannot differentiate through")
        if space.loss.csl() is not None:
            raise InputError("csl changes with every epoch, which `rounds` cannot differentiate through")
        if unknown := [name for name in space.loss.free if name not in CURVATURE]:
            raise InputError(
                f"`rounds` search w, l and delta of a loss, whose curvatures are known, not {unknown[0]}: leave one of "
                "the two out"
            )
        if space.loss.scheduled:
            raise InputError(
                "a loss with a schedule cannot be searched by whole trainings: `start` from another, without `late`, "
                "or leave `rounds` out"
            )
        if space.augmentation is not None:
            raise InputError("`rounds` search the loss and the recipe, not an augmentation: leave one of the two out")
        if trainee.recipe.compiled:
            raise InputError("`compiled` has no effect with `rounds`, which replay whole trainings: leave one out")
        return WholeTrainingsSearch(trainee, self, seed)


@dataclass(frozen=True)
class Best:
    """The searched numbers of the smallest objective so far.

    Args:
        raw: the numbers.
        objective: after a training with them.
        gradient: of the objective in them.
        scale: s, by which steps from them are shortened.
    """

    raw: dict[str, Tensor]
    objective: float
    gradient: dict[str, Tensor]
    scale: float = 1.0


@dataclass(frozen=True)
class WholeTrainingsState:
    """All that the search carries from one training to the next, see `State`.

    Args:
        found: the numbers that the next training would be with.
        random, device_random: states of torch's generators, the latter None on a CPU.
        best: None before the first training.
        done, outer_steps, skipped, skipped_in_a_row: as in `State`.
    """

    found: dict[str, Tensor]
    random: Tensor
    device_random: Tensor | None = None
    best: Best | None = None
    done: int = 0
    outer_steps: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def to_dict(self) -> dict[str, Any]:
        """See `State`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `State`."""
        best = None if content["best"] is None else Best(**on_device(content["best"], device))
        return cls(**{**content, "found": on_device(content["found"], device), "best": best})


class WholeTrainingsSearch:
    """The search of `WholeTrainings`, one training a step; see `Search`."""

    parts = 100
    state = WholeTrainingsState

    def __init__(self, trainee: Trainee, strategy: WholeTrainings, seed: int) -> None:
        self.trainee, self.length, self._seed = trainee, strategy.rounds, seed
        #: Training steps that are differentiated through: all of them.
        self.unroll = trainee.steps_per_epoch * trainee.recipe.epochs
        numbers = sum(p.numel() for p in trainee.start.parameters.values()) // max(1, trainee.folds) * self.unroll
        self._engine = Replay(self.unroll, 1 if numbers <= MOST_STORED else math.isqrt(self.unroll))
        effective = len(trainee.validation_samples) * max(1, trainee.folds) * trainee.space.loss.balance
        self._trusted = effective / (effective + HALF_TRUSTED)

    def found(self, state: WholeTrainingsState) -> Found:
        """See `Search`."""
        return self.trainee.found(state.found)

    def choice(self, state: WholeTrainingsState) -> None:
        """See `Search`: which loss to use is left to `select`."""

    def init(self) -> WholeTrainingsState:
        """See `Search`."""
        device = self.trainee.device
        on_gpu = torch.Generator(device).manual_seed(self._seed).get_state() if device.type == "cuda" else None
        random = torch.Generator().manual_seed(self._seed).get_state()
        return WholeTrainingsState(self.trainee.space.init(), random, on_gpu)

    def phase(self, state: WholeTrainingsState) -> str:
        """See `Search`."""
        return "round"

    def step(
        self, state: WholeTrainingsState, on_share: Callable[[float], None] | None = None
    ) -> tuple[WholeTrainingsState, dict[str, Any]]:
        """One training with its hypergradient. The record is of the numbers that it was with."""
        device, trained_with = self.trainee.device, state.found
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            set_random_state((state.random, state.device_random), device)
            generator = torch.Generator().manual_seed(self._seed)
            orders = [index for _ in range(self.trainee.recipe.epochs) for index in self.trainee.orders(generator)]
            batches = Drawn(self._draw, orders, on_share or (lambda share: None))
            problem, judged = self.trainee.problem(0.0), self.trainee.validation_samples.all()
            inner, found = self._engine(problem, self.trainee.start, trained_with, batches, judged)
            random, device_random = random_state(device)
        loss = self.trainee.mean_loss(found.train_loss)
        tell_hypergradient(state.outer_steps, loss, trained_with, found)
        state = replace(state, done=state.done + 1, random=random, device_random=device_random)
        if math.isfinite(loss) and found.finite:
            state = self.stepped(state, found)
        else:
            state = replace(state, skipped=state.skipped + 1, skipped_in_a_row=state.skipped_in_a_row + 1)
        return state, {"phase": "round", "epoch": state.done, **self.trainee.record(inner, trained_with, [loss])}

    def _draw(self, number: int, index: Tensor) -> Batch:
        """The batch of a step, the same each time that it is drawn."""
        return self.trainee.batch(index, torch.Generator().manual_seed(self._seed * self.unroll + number))

    def stepped(self, state: WholeTrainingsState, at: Hypergradient) -> WholeTrainingsState:
        """The state after the step that follows a training, ``at`` being the hypergradient at ``state.found``."""
        best = state.best
        if best is None or at.objective <= best.objective:
            best = Best(state.found, at.objective, at.gradient, 1.0 if best is None else best.scale)
        else:
            best = replace(best, scale=CUT * best.scale)
        size, raw = max(abs(best.objective), SMALLEST), {}
        for name, gradient in best.gradient.items():
            trusted = 1.0 if name in RECIPE_PARAMETERS.values() else self._trusted
            step = best.scale * trusted * gradient / (CURVATURE[name] * size)
            raw[name] = (best.raw[name] - step).clamp(*TRUST[name])
        return replace(state, found=raw, best=best, outer_steps=state.outer_steps + 1, skipped_in_a_row=0)


class Drawn(Sequence[Batch]):
    """Batches that are drawn when they are looked at: once on the way forward, and once on the way back."""

    def __init__(
        self, draw: Callable[[int, Tensor], Batch], indices: Sequence[Tensor], on_share: Callable[[float], None]
    ) -> None:
        self._draw, self._indices, self._on_share, self._looks = draw, indices, on_share, 0

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> Batch: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Batch]: ...
    def __getitem__(self, place: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):  # which ends an iteration
            raise IndexError(place)
        self._looks += 1
        self._on_share(min(0.99, self._looks / (2.5 * len(self))))
        return self._draw(place, self._indices[place])
