"""The search in prediction space: folds train once, and offsets of their held-out outputs become the loss's l."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from autobalance.bilevel._collector import Collected
from autobalance.bilevel._guard import GROUP_CONFIDENCE, SEARCHED, Choice, choose
from autobalance.bilevel._move import AsTheyAre, ByOffsets, Move
from autobalance.bilevel._outputs import kept, numbers_kept, packed, unpacked
from autobalance.bilevel._strategy import on_device
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found
from autobalance.common import InputError, check_value, free_memory_mb
from autobalance.data import Batch, Fold, FoldedSamples, stratum
from autobalance.hypergradients import InnerState, Replay, inner_step, random_state, set_random_state
from autobalance.losses import Member, ScheduledLoss
from autobalance.tasks.metrics import Outputs, isfinite
from autobalance.tasks.objectives import standing
from autobalance.training import NOT_FINITE, advice, constant_output

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

#: Folds that are tried, and what training on one split costs, in plain trainings. Two halves cost little more than the
#: one split and have held out every sample: they win three times as much (docs/what-helps.md).
FOLDS, SPLIT_COST = (5, 3, 2), 0.8
#: How often the figures of held-out samples are taken within a training, for people.
FIGURES = 10
#: Copies of all outputs in double precision that finding offsets takes at once, as measured.
COPIES = 10
#: With which the result has to beat the start: half a standard error.
CONFIDENCE = 0.7


@dataclass(frozen=True)
class PredictionSpace:
    """Trains each of a few starts on folds, and moves l by the offsets that make the objective smallest on the outputs
    that were held out. See `autobalance.bilevel._offsets` for why l can carry them. Of a regression the start is taken
    whose outputs are best.

    The budget buys folds, then starts: training one on F folds costs F - 1 plain trainings. For a regression, which has
    starts alone to choose from, two folds are enough.

    Args:
        budget: what the trainings may cost, in plain trainings.
        folds: F; None: 5, 3 or 2 as the budget reaches, and the one split where it does not, where the source brings
            validation samples of its own, or where a class has too few samples for folds.

    Raises:
        InputError: a value that cannot be.
    """

    budget: float = 4.0
    folds: int | None = None

    confidence: ClassVar[float] = CONFIDENCE
    group_confidence: ClassVar[float] = GROUP_CONFIDENCE

    def __post_init__(self) -> None:
        check_value("budget", self.budget, above=0)
        if self.folds is not None:
            check_value("folds", self.folds, at_least=2, whole=True)

    @property
    def hypergradient(self) -> Replay:
        """None is taken; the engine that could be, for what folds go with."""
        return Replay()

    def on(self, bench: Bench) -> PredictionSpace:
        """See `Strategy`: itself."""
        return self

    def search(self, bench: Bench) -> PredictionSpaceSearch:
        """See `Strategy`.

        Raises:
            InputError: l is not free, or a model whose features are smoothed, which no others train beside.
        """
        if not bench.of_numbers and "l" not in bench.free:
            raise InputError("the `strategy` prediction moves l: leave l among what is `free`")
        if bench.sees_targets:
            raise InputError("the `strategy` prediction has no feature smoothing: use interleaved")
        number = self.folds or self._affordable(bench)
        folds, cost = (None, SPLIT_COST) if number is None else (bench.folds(number), number - 1)
        arms = bench.portfolio(max(0, int(self.budget / cost) - 1), bench.counts(folds))
        if not bench.of_numbers:
            _check_memory(bench, len(arms), held_out=folds is not None)
        moved = ("w",) if bench.of_numbers else ("l",)
        trainees = {arm.name: bench.trainee(arm, folds, moved, "class") for arm in arms}
        return PredictionSpaceSearch(trainees, bench)

    def _affordable(self, bench: Bench) -> int | None:
        """How many folds there shall be; None for the one split."""
        if bench.setting.problem.own_validation:
            return None
        if bench.of_numbers:
            return min(FOLDS)
        smallest = int(bench.task.counts(bench.setting.pool).min())
        return next((folds for folds in FOLDS if folds - 1 <= self.budget and folds <= smallest), None)


def _check_memory(bench: Bench, starts: int, held_out: bool) -> None:
    """Refuses a search whose outputs do not fit into the memory: N samples of K classes are N K numbers.

    Args:
        bench: the plan on its setting.
        starts: whose outputs are kept.
        held_out: whether every sample of the pool is held out once; else the validation samples are.

    Raises:
        InputError: says how much it would take, how much there is, and what needs less.
    """
    problem, free = bench.setting.problem, free_memory_mb()
    samples = len(problem.validation) + (len(problem.train) if held_out else 0)
    classes = problem.num_classes
    numbers = samples * numbers_kept(classes, bench.objective)
    bytes_needed = numbers * (8 * COPIES + (4 if numbers == samples * classes else 8) * starts)
    if free is not None and bytes_needed / 2**20 > free:
        raise InputError(
            f"the outputs for {samples} samples of {classes} classes would take about {bytes_needed / 2**30:.1f} GiB "
            f"here, and {free / 2**10:.1f} GiB are free: use the `strategy` interleaved with `confidence` 0, which "
            "keeps no outputs, or fewer samples"
        )


@dataclass(frozen=True)
class PredictionSpaceState:
    """All that the search carries from one epoch to the next, see `State`.

    Args:
        generator, random, device_random: states of the sampling generator and of torch's own.
        inner: of the start that is being trained, or was trained last; None where nobody needs it any more.
        collected: what its loss has collected in training, when the epoch began.
        outputs: of each start that is trained, (N, K), for the samples that were held out; of very many classes the
            largest.
        diverged: the starts whose outputs are a constant prediction instead.
        winner: the start whose outputs, with offsets, are best.
        offsets: b, (K,), in the unit of the logits; None before they are found.
        crossed: the winner's outputs, (N, K), each with offsets that were found without its sample.
        done, outer_steps, skipped, skipped_in_a_row: as in `State`.
    """

    generator: Tensor
    random: Tensor
    device_random: Tensor | None = None
    inner: InnerState | None = None
    collected: Collected = ()
    outputs: dict[str, Outputs] = field(default_factory=dict)
    diverged: tuple[str, ...] = ()
    winner: str | None = None
    offsets: Tensor | None = None
    crossed: Outputs | None = None
    done: int = 0
    outer_steps: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def to_dict(self) -> dict[str, Any]:
        """See `State`."""
        inner = None if self.inner is None else asdict(self.inner)
        outputs = {name: packed(output) for name, output in self.outputs.items()}
        return {**vars(self), "inner": inner, "outputs": outputs, "crossed": packed(self.crossed)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """See `State`."""
        inner = None if content["inner"] is None else InnerState(**on_device(content["inner"], device))
        collected = tuple(on_device(each, device) for each in content["collected"])
        outputs = {name: unpacked(output) for name, output in content["outputs"].items()}
        crossed = unpacked(content["crossed"])
        return cls(**{**content, "inner": inner, "collected": collected, "outputs": outputs, "crossed": crossed})


class PredictionSpaceSearch:
    """The search of `PredictionSpace`: the epochs of each start, then one step that finds the offsets; see `Search`."""

    parts = 1
    state = PredictionSpaceState
    #: No training step is differentiated through.
    unroll = 0

    def __init__(self, trainees: Mapping[str, Trainee], bench: Bench) -> None:
        self._trainees, self._bench = dict(trainees), bench
        self.trainee = next(iter(trainees.values()))
        self._epochs = self.trainee.recipe.epochs
        self.length = len(trainees) * self._epochs + 1
        self._seed, self._edges = bench.plan.seed, bench.setting.problem.bin_edges
        counts = bench.task.counts(bench.setting.pool)
        self.move: Move[Any] = AsTheyAre(bench.objective)
        if self._edges is None:
            self.move = ByOffsets.of(bench.objective, counts, bench.plan.tie or "class", self._seed)
        self._starts_bias = bench.has_output_bias(bench.start(bench.counts(None)))

    @property
    def judged(self) -> Batch:
        """The samples that were held out, fold after fold, without their inputs."""
        return self.trainee.judged

    @property
    def first_fold(self) -> Fold | None:
        """What the first of the models is trained on, and what it holds out first of all; None on the one split."""
        rest, held = self.trainee.train_samples, self.trainee.validation_samples
        if not isinstance(rest, FoldedSamples) or not isinstance(held, FoldedSamples):
            return None
        return rest.index[0], held.index[0]

    def found(self, state: PredictionSpaceState) -> Found:
        """See `Search`: the winner's loss with its l less the offsets."""
        start = self._trainees[state.winner or next(iter(self._trainees))]
        found = start.found(start.space.init())
        if state.offsets is None:
            return found
        return replace(found, loss=less(found.loss, state.offsets, self._starts_bias))

    def choice(self, state: PredictionSpaceState) -> Choice | None:
        """See `Search`: the start stays unless the result beats it."""
        if state.crossed is None:
            return None
        (name, first), *others = state.outputs.items()
        fixed = {other: output for other, output in others if other in self._bench.plan.candidates}
        return self.compare({SEARCHED: state.crossed, name: first, **fixed}, self.judged, name)

    def compare(self, outputs: Mapping[str, Outputs], judged: Batch, start: str, needed: float | None = None) -> Choice:
        """The choice among outputs for the same samples, with a confidence that is needed; None: the plan's."""
        needed = (self._bench.plan.confidence or 0.0) if needed is None else needed
        judge = partial(standing, self._bench.objective)
        seen = {name: self._bench.objective.looked_at(output) for name, output in outputs.items()}
        return choose(seen, start, judged, stratum(judged, self._edges), judge, needed, self._seed)

    def init(self) -> PredictionSpaceState:
        """See `Search`."""
        device, seeded = self.trainee.device, torch.Generator().manual_seed(self._seed).get_state()
        on_gpu = torch.Generator(device).manual_seed(self._seed).get_state() if device.type == "cuda" else None
        return PredictionSpaceState(seeded, seeded.clone(), on_gpu)

    def phase(self, state: PredictionSpaceState) -> str:
        """See `Search`."""
        return self.move.phase if state.done >= self.length - 1 else "folds" if self.trainee.folds else "training"

    def step(
        self, state: PredictionSpaceState, on_share: Callable[[float], None] | None = None
    ) -> tuple[PredictionSpaceState, dict[str, Any]]:
        """An epoch of the start that is trained at this time, or the offsets."""
        phase, ended = self.phase(state), state.done >= self.length - 1
        state, record = self._moved(state) if ended else self._epoch(state)
        return state, {"phase": phase, "epoch": state.done, **record}

    def _epoch(self, state: PredictionSpaceState) -> tuple[PredictionSpaceState, dict[str, Any]]:
        name = list(self._trainees)[state.done // self._epochs]
        trainee, epoch = self._trainees[name], state.done % self._epochs
        if name in state.diverged:  # what is left of its epochs
            return replace(state, done=state.done + 1), {"start": name, "train_loss": None, **self._described(name)}
        generator, device = torch.Generator(), trainee.device
        generator.set_state(state.generator if epoch else torch.Generator().manual_seed(self._seed).get_state())
        raw, losses = trainee.space.init(), []
        inner = state.inner if epoch and state.inner is not None else trainee.start
        progress = epoch / self._epochs
        collected = trainee.collected(inner, raw, state.collected, progress)
        problem = trainee.problem(progress, collected=collected)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            set_random_state((state.random, state.device_random), device)
            for index in trainee.orders(generator):
                inner, value = inner_step(problem, inner, raw, trainee.batch(index, generator))
                losses.append(trainee.mean_loss(value.item()))
            random, device_random = random_state(device)
        if not all(map(math.isfinite, losses)):
            return self._given_up(state, name, f"the training loss is not finite in epoch {epoch + 1}")
        ended = epoch + 1 == self._epochs
        figures = {}
        if ended or epoch % -(-self._epochs // FIGURES) == 0:
            output, judged = trainee.held_out(inner)
            if not isfinite(output):
                return self._given_up(state, name, NOT_FINITE)
            figures = trainee.figures(output, judged)
        state = replace(
            state,
            generator=generator.get_state(),
            random=random,
            device_random=device_random,
            inner=inner,
            collected=collected,
            done=state.done + 1,
        )
        if ended:
            state = replace(state, outputs={**state.outputs, name: output.cpu()})
        return state, {"start": name, "train_loss": sum(losses) / len(losses), **figures, **self._described(name)}

    def _described(self, name: str) -> dict[str, Any]:
        """What the history says of a start's numbers, which stay as they are."""
        space = self._trainees[name].space
        return space.describe(space.init())

    def _given_up(
        self, state: PredictionSpaceState, name: str, why: str
    ) -> tuple[PredictionSpaceState, dict[str, Any]]:
        """The state without a start that diverged: it counts as a constant prediction.

        Raises:
            InputError: none is left.
        """
        problem, recipe, judged = self._bench.setting.problem, self._trainees[name].recipe, self.judged
        why = f"{why}; {advice(recipe, problem.train)}"
        if len(state.diverged) + 1 == len(self._trainees):
            raise InputError(f"every training of the search diverges. With {name}: {why}")
        output = kept(constant_output(problem, problem.train, len(judged.y)), judged.y, self._bench.objective)
        state = replace(
            state,
            inner=None,
            outputs={**state.outputs, name: output.cpu()},
            diverged=(*state.diverged, name),
            done=state.done + 1,
        )
        return state, {"start": name, "train_loss": None, "diverged": why, **self._described(name)}

    def _moved(self, state: PredictionSpaceState) -> tuple[PredictionSpaceState, dict[str, Any]]:
        """The best start with its move; equal standings are told apart by the smooth objective."""
        judged = self.judged
        trained = {name: outputs for name, outputs in state.outputs.items() if name not in state.diverged}
        bests = {name: self.move.best(outputs, judged) for name, outputs in trained.items()}
        winner = min(bests, key=lambda name: bests[name].rank)
        crossed = bests[winner].outputs
        state = replace(
            state,
            inner=None,
            winner=winner,
            offsets=self.move.offsets(state.outputs[winner], judged, bests[winner]),
            crossed=crossed,
            done=state.done + 1,
            outer_steps=state.outer_steps + 1,
        )
        trainee, last = self._trainees[winner], self.found(state).loss.at(1.0)
        assert isinstance(last, Member)
        shown = ("w",) if state.offsets is None else ("l",)
        return state, {
            "start": winner,
            "train_loss": None,
            **trainee.figures(crossed, judged),
            "parameters": {name: getattr(last, name).tolist() for name in shown},
            "rates": {},
        }


def less(loss: Member | ScheduledLoss, offsets: Tensor, starts_bias: bool = True) -> Member | ScheduledLoss:
    """The loss with l - s Δ b in each of its stages, of mean zero over the classes: s Δ (z + b) + l - s Δ b is what
    s Δ z + l was. And b as its start bias, unless the model has no place for it."""

    def moved(member: Member) -> Member:
        assert not member.ordered  # a regression has no logits to offset
        b, delta = offsets.to(member.l), member.scale * member.delta
        wide = member.l.dim() == 2 or delta.dim() == 2
        delta, l = (table[:, None] if wide and table.dim() == 1 else table for table in (delta, member.l))  # noqa: E741
        l = l - delta * (b[:, None] if wide else b)  # noqa: E741 - the published symbol
        bias = {} if not starts_bias else {"start_bias": b if member.start_bias is None else member.start_bias + b}
        return member.replace(l=l - l.mean(0), **bias)

    stages = [(stage.start, moved(stage.loss)) for stage in loss.stages if isinstance(stage.loss, Member)]
    return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)
