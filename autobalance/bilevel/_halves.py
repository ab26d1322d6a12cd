"""Held-out features of one model, and the last layers on them: how good a loss is by what it makes of these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.bilevel._offsets import MAXIMUM, TEMPERATURE, scale_of
from autobalance.bilevel.space import LossSpace
from autobalance.data import Batch, stratum
from autobalance.hypergradients import LastLayers
from autobalance.losses import ParametricLoss
from autobalance.tasks.objectives import Objective

#: Parts that the held-out samples are dealt into: a last layer is trained on all but one, and answers for that.
PARTS = 2
#: Where the decay of the last layer begins, the best of them; and how far it may go.
DECAYS, DECAY_RANGE = (1e-3, 1e-2), (1e-4, 1.0)
#: How exactly last layers are solved, relative to the gradient at 0.
TOLERANCE = 1e-2
#: Of Adam: its length at the start, which falls to zero, and its averages.
STEP, BETAS = 0.3, (0.8, 0.95)
#: The softmax's temperature begins so many times higher, where every sample has a slope, and falls to `TEMPERATURE`.
HOTTER = 4.0
#: Of the squares of log w and l beside the start's, averaged over cells, each times how much rarer it is.
PENALTY = 0.01


@dataclass(frozen=True)
class Numbers:
    """What is searched.

    Args:
        raw: the numbers of the loss, see `LossSpace`.
        decay: log λ of the last layers.
    """

    raw: dict[str, Tensor]
    decay: float


class Half:
    """Samples that one model was not trained on, by their features.

    Args:
        features: (N, D), float64.
        batch: their classes and groups, no inputs.
        space: of the loss; its start is convex in the logits.
        objective: what is made small.
        seed: of the dealing into parts.
    """

    def __init__(self, features: Tensor, batch: Batch, space: LossSpace, objective: Objective, seed: int) -> None:
        self.batch, self.objective, self._space = batch, objective, space
        start = space.start
        assert isinstance(start, ParametricLoss)
        self._part = dealt_by_cell(batch, seed)
        masks = torch.stack([self._part != number for number in range(PARTS)])
        self.layers = LastLayers(start.losses, features, batch, masks, start.num_classes)
        self._weights = self.layers.zeros()

    def crossed(self, numbers: Numbers) -> Tensor:
        """The outputs for all samples, (N, K), each by the last layer that was not trained on it."""
        with torch.no_grad():
            parameters = self._space.parameters(numbers.raw)
        self._weights = self.layers.solved(self._weights, parameters, math.exp(numbers.decay), TOLERANCE)
        return self._answered(self._weights)

    def _answered(self, weights: Tensor) -> Tensor:
        return self.layers.logits(weights)[self._part, torch.arange(len(self._part))]

    def smooth(self, output: Tensor, hotter: float = 1.0) -> Tensor:
        """The smooth objective, a scalar: the softmax's temperature is a share of the outputs' spread, so that they do
        not crowd around a half however unsure the model is."""
        scaled = output / scale_of(output.detach())
        return self.objective.soft_confusion(scaled, self.batch, hotter * TEMPERATURE, MAXIMUM)

    def start(self) -> Numbers:
        """The loss as it is, and the best decay of `DECAYS` for it."""
        raw = {name: value.double() for name, value in self._space.init().items()}
        each = [Numbers(raw, math.log(decay)) for decay in DECAYS]
        return min(each, key=lambda numbers: float(self.smooth(self.crossed(numbers))))

    def search(self, start: Numbers, steps: int) -> Numbers:
        """The best of some steps of Adam along the exact derivative, by the smooth objective with its penalty."""
        raw = {name: value.clone().requires_grad_() for name, value in start.raw.items()}
        decay = self.layers.features.new_tensor(start.decay).requires_grad_()
        moved, best, least = [*raw.values(), decay], start, math.inf
        optimiser = torch.optim.Adam(moved, lr=STEP, betas=BETAS)
        for step in range(steps + 1):
            now = Numbers({name: value.detach().clone() for name, value in raw.items()}, float(decay.detach()))
            output = self.crossed(now)
            parameters = self._space.parameters(raw)
            penalty = PENALTY * self._distance(parameters)
            if (value := float(self.smooth(output)) + float(penalty.detach())) < least:
                best, least = now, value
            if step == steps:
                break
            for group in optimiser.param_groups:
                group["lr"] = STEP * (1 - step / steps)
            weights = self._weights.clone().requires_grad_()
            hotter = HOTTER ** (1 - step / max(1, steps - 1))
            (of_weights,) = torch.autograd.grad(self.smooth(self._answered(weights), hotter), weights)
            through = self.layers.pull(self._weights, of_weights, parameters, decay.exp()) + penalty
            for number, slope in zip(moved, torch.autograd.grad(through, moved), strict=True):
                number.grad = slope
            optimiser.step()
            with torch.no_grad():
                decay.clamp_(*map(math.log, DECAY_RANGE))
        return best

    def _distance(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """How far the tables are from the start's: squares of log w and l, the more a cell counts the rarer it is."""
        shares = self._space.shares.double()
        rarity = (1 / shares) / (1 / shares).mean()
        start, total = self._space.parameters(self._space.init()), shares.new_zeros(())
        for name in self._space.free:
            was, now = start.get(name, torch.ones_like(shares)), parameters[name]
            change = now.log() - was.log() if name == "w" else now - was
            total = total + (rarity * change.square()).mean()
        return total


def dealt_by_cell(batch: Batch, seed: int, parts: int = PARTS) -> Tensor:
    """The part that each sample is in, (N,), every class, or cell, in proportion."""
    cells, generator, at = torch.from_numpy(stratum(batch, None)), torch.Generator().manual_seed(seed), 0
    part = torch.empty_like(cells)
    for cell in cells.unique():
        members = (cells == cell).nonzero()[:, 0]
        part[members[torch.randperm(len(members), generator=generator)]] = (torch.arange(len(members)) + at) % parts
        at += len(members)
    return part
