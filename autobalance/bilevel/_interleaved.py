"""The bi-level loop: training steps on one split, hypergradient steps on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from autobalance.bilevel._augmentation_space import AugmentationSpace
from autobalance.bilevel._space import BOUNDS, LossSpace
from autobalance.bilevel._state import SearchState
from autobalance.bilevel._strength import showing, strength_of
from autobalance.cli._config import STRENGTH
from autobalance.common import InputError, check_value
from autobalance.data import Batch, FoldedSamples, Samples
from autobalance.data.augmentation import Policy
from autobalance.hypergradients import (
    RECIPE_PARAMETERS,
    Engine,
    Hypergradient,
    Needs,
    Replay,
    TrainLoss,
    check_engine,
    fold_loss,
    folds,
    inner_step,
    processes,
    random_state,
    set_random_state,
    split_batch,
    stack_batches,
)
from autobalance.tasks import balanced_error_of
from autobalance.tasks.objectives import Blend, Objective
from autobalance.training import Recipe, SeesTargets, end_epoch

#: How far the logarithm of a rate moves when a searched number of the loss moves by one. Useful weight decays lie
#: further apart than useful losses do: on development samples of three tables the best were 1, 4 and 40 times 5e-4.
RATE_UNITS: Mapping[str, float] = {"lr": 2.0, "weight_decay": 4.0}
#: The largest factor on a rate, and one over the smallest. Within a few steps of an unroll, more decay always looks
#: harmless; without a bound the weights of a whole training with it could vanish.
RATE_BOUNDS: Mapping[str, float] = {"lr": 4.0, "weight_decay": 30.0}
#: Skipped steps in a row after which the search gives up and returns its last good loss.
MAX_SKIPPED_IN_A_ROW = 5


@dataclass(frozen=True)
class OuterLoop:
    """When and how the loss is updated.

    Args:
        warmup: share of the epochs that only train the model, with the loss at its start.
        every: training steps between hypergradients, those that are unrolled included.
        lr: step of the outer optimiser (Adam), in units of log w, l and log Δ.
        betas: of Adam.
        batch_size: validation samples a hypergradient, drawn anew each time; all of them where there are fewer.
        averaged: share of the search phase, at its end, over which the searched numbers are averaged.

    Raises:
        InputError: a value that cannot be.
    """

    warmup: float = 0.3
    every: int = 20
    lr: float = 0.05
    betas: tuple[float, float] = (0.8, 0.99)
    batch_size: int = 512
    averaged: float = 0.5

    def __post_init__(self) -> None:
        check_value("warmup", self.warmup, at_least=0, below=1)
        check_value("every", self.every, at_least=1, whole=True)
        check_value("lr", self.lr, above=0)
        for beta in self.betas:
            check_value("betas", beta, at_least=0, below=1)
        check_value("batch_size", self.batch_size, at_least=1, whole=True)
        check_value("averaged", self.averaged, at_least=0, at_most=1)


class Bilevel:
    """The search as an iteration over explicit states: ``state = init()``, then ``state, record = epoch(state)``.

    Args:
        model: starts from its present weights, which are left as they are.
        train_samples, validation_samples: what the inner loop trains on and what the outer loop looks at; or these
            parts of F folds, for which F models, all of them ``model`` at the start, train side by side on the same
            loss. The hypergradient is then the mean of the folds'.
        space: what is searched.
        objective: what is minimised, a function of (logits, batch).
        engine: how it is differentiated.
        recipe: how the model is trained.
        outer: when and how the loss is updated.
        seed: of the order of the samples.
        augmentation: what is searched of the augmentation of the training samples, if it is.
        rates: which of the recipe's ``lr`` and ``weight_decay`` are searched too, as log factors on them.
        watch: figures for the history, by name, from (output, batch) of the validation samples.
        strength: whether the strength of the model's feature-distribution smoothing is searched too, see `strength_of`.
    """

    def __init__(
        self,
        model: nn.Module,
        train_samples: Samples | FoldedSamples,
        validation_samples: Samples | FoldedSamples,
        space: LossSpace,
        objective: Objective,
        engine: Engine | None = None,
        recipe: Recipe | None = None,
        outer: OuterLoop | None = None,
        seed: int = 0,
        rates: Sequence[str] = (),
        augmentation: AugmentationSpace | None = None,
        watch: Callable[[Tensor, Batch], dict[str, float]] = balanced_error_of,
        strength: bool = False,
    ) -> None:
        self.train_samples, self.validation_samples, self.space = train_samples, validation_samples, space
        self.objective, self.engine = objective, engine or Replay()
        self.recipe, self.outer, self.seed = recipe or Recipe(), outer or OuterLoop(), seed
        if self.engine.steps > self.outer.every:
            raise InputError(
                f"{self.engine.steps} unrolled steps do not fit between hypergradients every {self.outer.every} steps"
            )
        self.rates, self.watch, self.augmentation = tuple(rates), watch, augmentation
        if not (space.free or self.rates or augmentation):
            names = ", ".join((*BOUNDS, *RECIPE_PARAMETERS))
            raise InputError(f"nothing is free to be searched; name one or more of {names} and augment")
        self._folds = train_samples.folds if isinstance(train_samples, FoldedSamples) else 0
        check_engine(self.engine, self._needs(model))
        self._model = deepcopy(model).train()
        self._inner = self.recipe.inner(self._model, space.train_loss, objective, len(train_samples))
        if augmentation is not None:
            self._inner = replace(self._inner, transform=augmentation.transform)
        self.strength = strength
        if isinstance(self._model, SeesTargets):
            self._inner = replace(self._inner, transform=showing(self._model, strength, self._inner.transform))
        elif strength:
            raise InputError("the model has no feature-distribution smoothing whose strength could be searched")
        if self._folds:
            self._inner = folds(self._inner, [self._model] * self._folds)
            self._model = self._inner.model.train()
        self._device = next(iter(self._inner.model.parameters())).device
        self._start = self._inner.init()  # now: the records of the epochs will change the weights of self._model
        self.warmup_epochs = round(self.outer.warmup * self.recipe.epochs)
        searched = self.recipe.epochs - self.warmup_epochs
        self._averaged_from = self.recipe.epochs - round(self.outer.averaged * searched)
        if space.late:  # what is switched on late is averaged over the second half of its own time
            middle = (1 + space.late_start) / 2
            self._averaged_from = max(self._averaged_from, round(middle * self.recipe.epochs))

    def _needs(self, model: nn.Module) -> Needs:
        """What the search asks of its engine."""
        return Needs(
            optimiser=self.recipe.optimiser(len(self.train_samples)),
            recipe_parameters=self.rates,
            transform=self.augmentation is not None,
            feature_smoothing=isinstance(model, SeesTargets),
            folds=self._folds > 0,
            frozen_parameters=not all(p.requires_grad for p in model.parameters()),
            precision=self.recipe.precision != "float32",
            compiled=self.recipe.compiled,
            processes=processes() > 1,
        )

    def init(self) -> SearchState:
        device, raw = self._device, self.space.init()
        raw |= {} if self.augmentation is None else self.augmentation.init()
        raw |= {f"log_{name}": torch.zeros((), device=device) for name in self.rates}
        raw |= {STRENGTH: torch.zeros((), device=device)} if self.strength else {}
        return SearchState(
            inner=self._start,
            raw=raw,
            outer=self._outer_optimiser(raw).state_dict(),
            total={name: torch.zeros_like(value) for name, value in raw.items()},
            counted=0,
            epoch=0,
            steps=0,
            queue=[],
            since_outer=0,
            outer_steps=0,
            skipped=0,
            skipped_in_a_row=0,
            generator=torch.Generator().manual_seed(self.seed).get_state(),
            random=torch.Generator().manual_seed(self.seed).get_state(),
            device_random=torch.Generator(device).manual_seed(self.seed).get_state() if device.type == "cuda" else None,
        )

    @property
    def hypergradient_steps(self) -> int:
        """How many outer steps there will be if none is skipped. The warm-up's steps count towards the first."""
        per_epoch = self.recipe.steps_per_epoch(len(self.train_samples))
        warmup = self.warmup_epochs * per_epoch
        searched = self.recipe.epochs * per_epoch - warmup
        first = max(self.engine.steps, self.outer.every - warmup)
        return 0 if searched < first else 1 + (searched - first) // self.outer.every

    def found_recipe(self, raw: Mapping[str, Tensor]) -> Recipe:
        """The recipe with the rates that ``raw`` makes of its own."""
        found = {name: getattr(self.recipe, name) * math.exp(raw[f"log_{name}"].item()) for name in self.rates}
        return replace(self.recipe, **found)

    def found_policy(self, raw: Mapping[str, Tensor]) -> Policy | None:
        """The augmentation at ``raw``; None where it is not searched."""
        return None if self.augmentation is None else self.augmentation.policy(raw)

    def found_strength(self, raw: Mapping[str, Tensor]) -> float | None:
        """The strength at ``raw``; None where it is not searched."""
        return strength_of(raw).item() if self.strength else None

    @property
    def epochs(self) -> int:
        """How many calls of `epoch` the search has."""
        return self.recipe.epochs

    #: What is shown of the progress within an epoch: parts that it is divided into, and what is called with the epochs
    #: done as they pass.
    parts: ClassVar[int] = 1
    on_part: Callable[[float], None] | None = None

    def phase(self, epoch: int) -> str:
        """What happens in the epoch that follows ``epoch`` done ones."""
        return "warm-up" if epoch < self.warmup_epochs else "search"

    def finished(self, state: SearchState) -> bool:
        return state.epoch >= self.epochs or self.stopped_early(state)

    def stopped_early(self, state: SearchState) -> bool:
        """Whether too many steps in a row had values that were not finite."""
        return state.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW

    def epoch(self, state: SearchState) -> tuple[SearchState, dict[str, Any]]:
        """One pass over the training samples, with hypergradient steps where the phase has them.

        Returns:
            the next state, and a record for the history, fit for JSON: phase, epoch, train_loss, objective and
            what ``watch`` says of the validation samples, parameters, rates, augmentation and fds where they are
            searched; for a named objective also its true (0/1) metric, in percent. A loss or objective that is not
            finite is None, and the losses of skipped steps are left out of train_loss.
        """
        device = self._device
        gpus = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):  # the caller's randomness goes on as if nothing had happened
            set_random_state((state.random, state.device_random), device)
            state, losses = self._train_epoch(state)
            inner = end_epoch(self._inner, state.inner)
            random, device_random = random_state(device)
            state = replace(state, inner=inner, epoch=state.epoch + 1, random=random, device_random=device_random)
        return state, self._record(state, losses)

    def _train_epoch(self, state: SearchState) -> tuple[SearchState, list[float]]:
        """The steps of an epoch, and their losses; the last window may take batches of the next epoch."""
        generator = torch.Generator()
        generator.set_state(state.generator)
        searching = self.phase(state.epoch) == "search"
        number = len(self.train_samples)
        per_epoch = self.recipe.steps_per_epoch(number)
        losses: list[float] = []
        while state.steps < per_epoch * (state.epoch + 1) and not self.stopped_early(state):
            unroll = self.engine.steps
            due = searching and state.since_outer + unroll >= self.outer.every
            due = due and state.steps + unroll <= per_epoch * self.recipe.epochs
            count = unroll if due else 1
            queue = state.queue
            while len(queue) < count:
                queue = queue + self.recipe.batches(number, generator)
            batches = [self._batch(index, generator) for index in queue[:count]]
            state = replace(state, queue=queue[count:], steps=state.steps + count)
            state, loss = self._steps(state, batches, due, generator)
            losses += [loss] * count
        return replace(state, generator=generator.get_state()), losses

    def _steps(
        self, state: SearchState, batches: Sequence[Batch], outer_due: bool, generator: torch.Generator
    ) -> tuple[SearchState, float]:
        """Inner steps on ``batches``, then an outer one where it is due. Steps that are not finite are not taken."""
        progress = state.epoch / self.recipe.epochs
        train_loss: TrainLoss = partial(self.space.train_loss, progress=progress)
        if self._folds:
            train_loss = fold_loss([train_loss] * self._folds)
        problem = replace(self._inner, train_loss=train_loss)
        if not outer_due:
            inner, value = inner_step(problem, state.inner, state.raw, batches[0])
            loss, found = value.item(), None
        else:
            inner, found = self.engine(problem, state.inner, state.raw, batches, self._outer_batch(generator))
            loss = found.train_loss
        loss /= max(1, self._folds)  # of folds the engines report the sum
        finite = math.isfinite(loss) and (found is None or all(g.isfinite().all() for g in found.gradient.values()))
        if not finite:
            return replace(state, skipped=state.skipped + 1, skipped_in_a_row=state.skipped_in_a_row + 1), loss
        state = replace(state, inner=inner, since_outer=state.since_outer + len(batches), skipped_in_a_row=0)
        return (state if found is None else self._outer_step(state, found)), loss

    def _outer_step(self, state: SearchState, found: Hypergradient) -> SearchState:
        raw = {name: value.clone() for name, value in state.raw.items()}
        optimiser = self._outer_optimiser(raw)
        # load_state_dict shares the momentum tensors with what it is given; the old state must stay as it was.
        optimiser.load_state_dict(deepcopy(state.outer))
        for name, value in raw.items():
            value.grad = found.gradient[name]
        optimiser.step()
        raw = {name: value.detach() for name, value in raw.items()}
        for name in self.rates:
            bound = math.log(RATE_BOUNDS[name])
            raw[f"log_{name}"] = raw[f"log_{name}"].clamp(-bound, bound)
        total, counted = state.total, state.counted
        if state.epoch >= self._averaged_from:
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

    def _outer_optimiser(self, raw: dict[str, Tensor]) -> torch.optim.Adam:
        units = {f"log_{name}": RATE_UNITS[name] for name in self.rates}
        groups = [{"params": [value], "lr": self.outer.lr * units.get(name, 1.0)} for name, value in raw.items()]
        return torch.optim.Adam(groups, betas=self.outer.betas)

    def _batch(self, index: Tensor, generator: torch.Generator) -> Batch:
        """What is trained on next: the samples at ``index``, of every fold where there are some, augmented."""
        batch = self.train_samples.take(index, self.recipe.crops(generator))
        parts = [self._augmented(part, generator) for part in (split_batch(batch) if self._folds else [batch])]
        return stack_batches(parts) if self._folds else parts[0]

    def _augmented(self, batch: Batch, generator: torch.Generator) -> Batch:
        batch = self.recipe.augmented(batch, generator)
        return batch if self.augmentation is None else self.augmentation.draw(batch, generator)

    def _outer_batch(self, generator: torch.Generator) -> Batch:
        number = len(self.validation_samples)
        if number <= self.outer.batch_size:
            return self.validation_samples.all()
        return self.validation_samples.take(torch.randperm(number, generator=generator)[: self.outer.batch_size])

    def _held_out(self) -> tuple[Tensor, Batch]:
        """What the models answer on all validation samples, fold after fold, and these samples without their inputs."""
        output = torch.cat([self._model(b.x) for b in self.validation_samples.batches()], int(self._folds > 0))
        judged = self.validation_samples.without_inputs()
        if not self._folds:
            return output, judged
        group = None if judged.group is None else judged.group.flatten()
        return output.flatten(0, 1), Batch(judged.x, judged.y.flatten(), group)

    def _record(self, state: SearchState, losses: list[float]) -> dict[str, Any]:
        state.inner.copy_to(self._model)
        self._model.eval()
        with torch.no_grad():
            logits, everything = self._held_out()
        self._model.train()
        loss, recipe, policy = self.space.loss(state.raw), self.found_recipe(state.raw), self.found_policy(state.raw)
        taken = [value for value in losses if math.isfinite(value)]
        objective = self.objective(logits, everything).item()
        blend = self.objective if isinstance(self.objective, Blend) else None
        return {
            "phase": self.phase(state.epoch - 1),
            "epoch": state.epoch,
            "train_loss": sum(taken) / len(taken) if taken else None,
            "objective": objective if math.isfinite(objective) else None,
            **({} if blend is None else {"objective_metric": blend.metric(logits, everything)}),
            **self.watch(logits, everything),
            "parameters": {name: getattr(loss.at(1.0), name).tolist() for name in self.space.free},
            "rates": {name: getattr(recipe, name) for name in self.rates},
            **({} if policy is None else {"augmentation": policy.to_dict()}),
            **({STRENGTH: self.found_strength(state.raw)} if self.strength else {}),
        }


def run(
    search: Bilevel,
    state: SearchState | None = None,
    on_epoch: Callable[[SearchState, dict[str, Any]], None] | None = None,
) -> SearchState:
    """Runs the search to its end, from a given state or from the start."""
    state = state or search.init()
    while not search.finished(state):
        state, record = search.epoch(state)
        if on_epoch is not None:
            on_epoch(state, record)
    return state
