"""The search by whole trainings: each is followed back from its last step to its first by one exact hypergradient.

Hypergradients through a few steps are biased (Wu et al. 2018): they see what a change does at once, not what it does to
the finished model. In l their sign was right on 6 of 11 development problems (experiments/horizon.py). Where a training
is short enough, all of it can be followed, with what it costs to train about three times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

import torch
from torch import Tensor, nn

from autobalance.bilevel._augmentation_space import AugmentationSpace
from autobalance.bilevel._interleaved import Bilevel, OuterLoop
from autobalance.bilevel._space import LossSpace
from autobalance.bilevel._state import SearchState
from autobalance.common import InputError
from autobalance.data import Batch, FoldedSamples, Samples
from autobalance.hypergradients import RECIPE_PARAMETERS, Engine, Hypergradient, Replay
from autobalance.tasks import balanced_error_of
from autobalance.tasks.objectives import Objective
from autobalance.training import Recipe, SeesTargets

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


class Rounds(Bilevel):
    """The search as R trainings of a model from the same weights on the same batches, ``epoch`` being one of them.

    After each, the gradient g of the objective on all validation samples in the searched numbers a, through every step
    of the training, gives the next numbers:

        a ← clip(a* - s c_i g_i / (h_i E)),    c_i = n / (n + 1000) for the loss's parameters, 1 for the recipe's rates

    with the best numbers a* so far, their objective E and its gradient, typical second derivatives h (`CURVATURE`), the
    bounds of `TRUST`, and s = 1 until a training ends with a larger objective than that at a*, which cuts it to 0.3 s.
    n is the effective number of validation samples of a balanced mean, N K² / Σ_k (1 / share_k): the fewer there are of
    the rarest classes, the closer the loss stays to its start.

    Args:
        model, train_samples, validation_samples, space, objective, recipe, seed, rates, watch: as `Bilevel`'s.
        rounds: R. The numbers after the last training are not trained with any more.

    Raises:
        InputError: a loss with a schedule, or a model that sees the targets (FDS), which cannot be followed through
            many epochs at once.
    """

    parts = 100

    def __init__(
        self,
        model: nn.Module,
        train_samples: Samples | FoldedSamples,
        validation_samples: Samples | FoldedSamples,
        space: LossSpace,
        objective: Objective,
        recipe: Recipe | None = None,
        seed: int = 0,
        rates: Sequence[str] = (),
        watch: Callable[[Tensor, Batch], dict[str, float]] = balanced_error_of,
        rounds: int = 1,
    ) -> None:
        if isinstance(model, SeesTargets):
            raise InputError("feature-distribution smoothing changes with every epoch, which rounds cannot follow")
        if space.scheduled:
            raise InputError("a loss with a schedule cannot be searched in rounds: start from another, without late")
        recipe = recipe or Recipe()
        self.rounds = rounds
        self.length = recipe.steps_per_epoch(len(train_samples)) * recipe.epochs
        numbers = sum(p.numel() for p in model.parameters()) * self.length
        engine = Replay(self.length, 1 if numbers <= MOST_STORED else math.isqrt(self.length))
        outer = OuterLoop(warmup=0.0, every=self.length, batch_size=len(validation_samples), averaged=0.0)
        super().__init__(
            model, train_samples, validation_samples, space, objective, engine, recipe, outer, seed, rates, watch=watch
        )
        samples = len(validation_samples) * max(1, self._folds)
        effective = samples * space.balance
        self._trusted = effective / (effective + HALF_TRUSTED)

    @property
    def epochs(self) -> int:
        return self.rounds

    @property
    def hypergradient_steps(self) -> int:
        return self.rounds

    def phase(self, epoch: int) -> str:
        return "round"

    def init(self) -> SearchState:
        return replace(super().init(), outer={})

    def _train_epoch(self, state: SearchState) -> tuple[SearchState, list[float]]:
        generator = torch.Generator().manual_seed(self.seed)
        number = len(self.train_samples)
        orders = [index for _ in range(self.recipe.epochs) for index in self.recipe.batches(number, generator)]

        def on_share(share: float) -> None:
            if self.on_part is not None:
                self.on_part(state.epoch + share)

        batches = _Drawn(self._drawn, orders, on_share)
        state = replace(state, inner=self._start, steps=state.steps + self.length)
        state, loss = self._steps(state, batches, True, generator)
        return state, [loss]

    def _drawn(self, number: int, index: Tensor) -> Batch:
        """The batch of a step, the same each time that it is drawn."""
        return self._batch(index, torch.Generator().manual_seed(self.seed * self.length + number))

    def _outer_step(self, state: SearchState, found: Hypergradient) -> SearchState:
        best: dict[str, Any] = state.outer
        if not best or found.objective <= best["objective"]:
            scale = best.get("scale", 1.0)
            best = {"objective": found.objective, "raw": state.raw, "gradient": found.gradient, "scale": scale}
        else:
            best = {**best, "scale": CUT * best["scale"]}
        raw, size = {}, max(abs(best["objective"]), SMALLEST)
        for name, gradient in best["gradient"].items():
            trusted = 1.0 if name in RECIPE_PARAMETERS.values() else self._trusted
            step = best["scale"] * trusted * gradient.to(self._device) / (CURVATURE[name] * size)
            raw[name] = (best["raw"][name].to(self._device) - step).clamp(*TRUST[name])
        return replace(state, raw=raw, outer=best, outer_steps=state.outer_steps + 1)


def make_search(
    rounds: int | None,
    model: nn.Module,
    train_samples: Samples | FoldedSamples,
    validation_samples: Samples | FoldedSamples,
    space: LossSpace,
    objective: Objective,
    *,
    engine: Engine | None,
    recipe: Recipe,
    outer: OuterLoop | None,
    seed: int,
    rates: Sequence[str],
    augmentation: AugmentationSpace | None,
    watch: Callable[[Tensor, Batch], dict[str, float]],
    strength: bool,
) -> Bilevel:
    """`Rounds` where their number is given, else a `Bilevel`; the arguments are theirs.

    Raises:
        InputError: of what rounds cannot search, or `Bilevel`'s and `Rounds`' own.
    """
    parts = model, train_samples, validation_samples, space, objective
    if rounds is None:
        return Bilevel(*parts, engine, recipe, outer, seed, rates, augmentation, watch, strength)
    if augmentation is not None or strength:
        what = "an augmentation" if augmentation is not None else "the strength of FDS"
        raise InputError(f"rounds search the loss and the recipe's rates, not {what}: leave one of the two out")
    if engine is not None or outer is not None:
        raise InputError("rounds replay whole trainings: an engine or an outer loop has no effect beside them")
    return Rounds(*parts, recipe, seed, rates, watch, rounds)


class _Drawn(Sequence[Batch]):
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
