"""The search within one training: training steps on one split, hypergradient steps on the other, in turns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from autobalance.bilevel._collector import Collected
from autobalance.bilevel._guard import GROUP_CONFIDENCE
from autobalance.bilevel._outer_loop import OuterLoop
from autobalance.bilevel._strategy import on_device, stopped_early, tell_hypergradient
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.hypergradients import (
    Abilities,
    Engine,
    Hypergradient,
    InnerState,
    Replay,
    inner_step,
    random_state,
    set_random_state,
)
from autobalance.tasks.objectives import Constrained
from autobalance.training import end_epoch

#: Length of the multipliers' steps of dual ascent, one an epoch: the loss needs hypergradients to follow.
RAISE = 0.3


@dataclass(frozen=True)
class Interleaved:
    """Hypergradients through a few steps of a training that goes on.

    Args:
        hypergradient: the engine that differentiates.
        outer: when and how the searched numbers are moved.

    Raises:
        InputError: more steps to differentiate through than there are between hypergradients.
    """

    hypergradient: Engine = field(default_factory=Replay)
    outer: OuterLoop = field(default_factory=OuterLoop)

    confidence: ClassVar[float] = 0.8
    group_confidence: ClassVar[float] = GROUP_CONFIDENCE

    def __post_init__(self) -> None:
        if self.hypergradient.steps > self.every:
            raise InputError(
                f"`unroll` {self.hypergradient.steps} does not fit between hypergradients: there is one `every` "
                f"{self.every} steps; unroll fewer, or give a larger `every`"
            )

    @property
    def every(self) -> int:
        """Training steps between hypergradients."""
        return self.outer.every or getattr(self.hypergradient, "abilities", Abilities()).every

    def on(self, bench: Bench) -> Interleaved:
        """See `Strategy`: itself."""
        return self

    def search(self, bench: Bench) -> InterleavedSearch:
        """See `Strategy`."""
        return self.of(bench.planned(), bench.plan.seed)

    def of(self, trainee: Trainee, seed: int) -> InterleavedSearch:
        """The search of a trainee; ``seed`` is of the order of the samples.

        Raises:
            InputError: the training is too short for a single hypergradient.
        """
        search = InterleavedSearch(trainee, self, seed)
        if search.hypergradient_steps == 0:
            epochs, per_epoch = trainee.recipe.epochs, trainee.steps_per_epoch
            raise InputError(
                f"`epochs` {epochs} leaves no room for a hypergradient: that is {epochs * per_epoch} training steps, "
                f"{search.warmup_epochs * per_epoch} of them warm-up, and the first one comes after `every` "
                f"{self.every} steps, `unroll` {self.hypergradient.steps} of them behind the warm-up; give more "
                "epochs, or a smaller `every`, `unroll` or `batch_size`"
            )
        return search


@dataclass(frozen=True)
class InterleavedState:
    """All that the search carries from one epoch to the next, see `State`.

    Args:
        inner: the model's training state.
        raw: the searched numbers.
        outer: state of the outer optimiser.
        total, counted: sum of the searched numbers over the averaged part, and how many were summed.
        done, steps: epochs and training steps done, those that were skipped included.
        queue: batches drawn and not yet taken, as sample indices.
        since_outer: training steps since the last hypergradient.
        collected: what the loss has collected in training, when the epoch began.
        multipliers: of the objective's constraints, (C,); None before they are first raised, or without constraints.
        outer_steps, skipped, skipped_in_a_row: as in `State`.
        generator, random: states of the sampling generator and of torch's own.
        device_random: state of the GPU's own generator, None on a CPU.
    """

    inner: InnerState
    raw: dict[str, Tensor]
    outer: dict[str, Any]
    total: dict[str, Tensor]
    generator: Tensor
    random: Tensor
    device_random: Tensor | None = None
    counted: int = 0
    done: int = 0
    steps: int = 0
    queue: tuple[Tensor, ...] = ()
    since_outer: int = 0
    collected: Collected = ()
    multipliers: Tensor | None = None
    outer_steps: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    @property
    def found(self) -> dict[str, Tensor]:
        """The average of the searched numbers where there is one, else the present ones."""
        if not self.counted:
            return self.raw
        return {name: value / self.counted for name, value in self.total.items()}

    def to_dict(self) -> dict[str, Any]:
        """See `State`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `State`. The states of the generators and the indices of the samples stay on the CPU."""
        moved = {name: on_device(content[name], device) for name in ("inner", "raw", "total")}
        moved["collected"] = tuple(on_device(each, device) for each in content["collected"])
        return cls(**{**content, **moved, "inner": InnerState(**moved["inner"])})


class InterleavedSearch:
    """The search of `Interleaved`, one epoch of the training a step; see `Search`."""

    parts = 1
    state = InterleavedState

    def __init__(self, trainee: Trainee, strategy: Interleaved, seed: int) -> None:
        self.trainee, self.strategy, self._seed = trainee, strategy, seed
        self._engine, self._outer, recipe = strategy.hypergradient, strategy.outer, trainee.recipe
        self.length = recipe.epochs
        self.warmup_epochs = round(self._outer.warmup * recipe.epochs)
        searched = recipe.epochs - self.warmup_epochs
        self._averaged_from = recipe.epochs - round(self._outer.averaged * searched)
        if trainee.space.loss.late:  # what is switched on late is averaged over the second half of its own time
            middle = (1 + trainee.space.loss.late_start) / 2
            self._averaged_from = max(self._averaged_from, round(middle * recipe.epochs))

    @property
    def unroll(self) -> int:
        """See `Search`."""
        return self._engine.steps

    @property
    def hypergradient_steps(self) -> int:
        """How many outer steps there will be if none is skipped. The warm-up's steps count towards the first."""
        per_epoch, every = self.trainee.steps_per_epoch, self.strategy.every
        warmup = self.warmup_epochs * per_epoch
        searched = self.trainee.recipe.epochs * per_epoch - warmup
        first = max(self._engine.steps, every - warmup)
        return 0 if searched < first else 1 + (searched - first) // every

    def found(self, state: InterleavedState) -> Found:
        """See `Search`."""
        return self.trainee.found(state.found)

    def choice(self, state: InterleavedState) -> None:
        """See `Search`: which loss to use is left to `select`."""

    def init(self) -> InterleavedState:
        """See `Search`."""
        device, raw = self.trainee.device, self.trainee.space.init()
        seeded = torch.Generator().manual_seed(self._seed).get_state()
        on_gpu = device.type == "cuda"
        return InterleavedState(
            inner=self.trainee.start,
            raw=raw,
            outer=self._optimiser(raw).state_dict(),
            total={name: torch.zeros_like(value) for name, value in raw.items()},
            generator=seeded,
            random=seeded.clone(),
            device_random=torch.Generator(device).manual_seed(self._seed).get_state() if on_gpu else None,
        )

    def phase(self, state: InterleavedState) -> str:
        """See `Search`."""
        return "warm-up" if state.done < self.warmup_epochs else "search"

    def step(
        self, state: InterleavedState, on_share: Callable[[float], None] | None = None
    ) -> tuple[InterleavedState, dict[str, Any]]:
        """One pass over the training samples, with hypergradients where the phase has them."""
        device, phase = self.trainee.device, self.phase(state)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            set_random_state((state.random, state.device_random), device)
            collected = self.trainee.collected(state.inner, state.raw, state.collected, state.done / self.length)
            state = replace(state, collected=collected)
            state, losses = self._epoch(state, searching=phase == "search")
            inner = end_epoch(self.trainee.inner, state.inner)
            random, device_random = random_state(device)
        state = replace(state, inner=inner, done=state.done + 1, random=random, device_random=device_random)
        if phase == "search":
            state = self._raised(state)
        record = self.trainee.record(state.inner, state.raw, losses, state.collected)
        return state, {"phase": phase, "epoch": state.done, **record}

    def _epoch(self, state: InterleavedState, searching: bool) -> tuple[InterleavedState, list[float]]:
        """The steps of an epoch, and their losses; the last window may take batches of the next epoch."""
        generator = torch.Generator()
        generator.set_state(state.generator)
        per_epoch, unroll = self.trainee.steps_per_epoch, self._engine.steps
        losses: list[float] = []
        while state.steps < per_epoch * (state.done + 1) and not stopped_early(state):
            due = searching and state.since_outer + unroll >= self.strategy.every
            due = due and state.steps + unroll <= per_epoch * self.length
            count = unroll if due else 1
            queue = list(state.queue)
            while len(queue) < count:
                queue += self.trainee.orders(generator)
            batches = [self.trainee.batch(index, generator) for index in queue[:count]]
            state = replace(state, queue=tuple(queue[count:]), steps=state.steps + count)
            state, loss = self._steps(state, batches, due, generator)
            losses += [loss] * count
        return replace(state, generator=generator.get_state()), losses

    def _steps(
        self, state: InterleavedState, batches: Sequence[Batch], outer_due: bool, generator: torch.Generator
    ) -> tuple[InterleavedState, float]:
        """Inner steps on ``batches``, then an outer one where it is due. Steps that are not finite are not taken."""
        problem = self.trainee.problem(state.done / self.length, state.multipliers, state.collected)
        found: Hypergradient | None = None
        if outer_due:
            judged = self.trainee.validation_batch(self._outer.batch_size, generator)
            inner, found = self._engine(problem, state.inner, state.raw, batches, judged)
            loss = self.trainee.mean_loss(found.train_loss)
            tell_hypergradient(state.outer_steps, loss, state.raw, found)
        else:
            inner, value = inner_step(problem, state.inner, state.raw, batches[0])
            loss = self.trainee.mean_loss(value.item())
        if not math.isfinite(loss) or (found is not None and not found.finite):
            return replace(state, skipped=state.skipped + 1, skipped_in_a_row=state.skipped_in_a_row + 1), loss
        state = replace(state, inner=inner, since_outer=state.since_outer + len(batches), skipped_in_a_row=0)
        return (state if found is None else self._outer_step(state, found)), loss

    def _raised(self, state: InterleavedState) -> InterleavedState:
        """The state after a step of dual ascent: each constraint's multiplier rises by what the validation samples
        violate it by in the exact metric, and falls where they are within its bound."""
        objective = self.trainee.objective
        if not isinstance(objective, Constrained):
            return state
        output, judged = self.trainee.held_out(state.inner)
        violations = objective.exact_violations(output, judged)
        most = objective.dearest(objective.main.metric(output, judged))
        now = torch.zeros_like(violations) if state.multipliers is None else state.multipliers
        return replace(state, multipliers=objective.raised(now, violations, RAISE, most))

    def _outer_step(self, state: InterleavedState, found: Hypergradient) -> InterleavedState:
        raw = {name: value.clone() for name, value in state.raw.items()}
        optimiser = self._optimiser(raw)
        # load_state_dict shares the momentum tensors with what it is given; the old state must stay as it was.
        optimiser.load_state_dict(deepcopy(state.outer))
        factor = self._outer.factor(state.done, self.warmup_epochs, self.length)
        for group, fresh in zip(optimiser.param_groups, self._optimiser(raw).param_groups, strict=True):
            group["lr"] = factor * fresh["lr"]
        for name, value in raw.items():
            value.grad = found.gradient[name]
        optimiser.step()
        raw = self.trainee.space.bounded({name: value.detach() for name, value in raw.items()})
        total, counted = state.total, state.counted
        if state.done >= self._averaged_from:
            total, counted = {name: total[name] + raw[name] for name in raw}, counted + 1
        return replace(
            state,
            raw=raw,
            outer=optimiser.state_dict(),
            total=total,
            counted=counted,
            since_outer=0,
            outer_steps=state.outer_steps + 1,
        )

    def _optimiser(self, raw: dict[str, Tensor]) -> torch.optim.Optimizer:
        return self._outer.optimiser(raw, self.trainee.space.recipe.units)
