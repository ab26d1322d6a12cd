"""Offsets of the logits that make an objective small, found on outputs that are there already.

Prediction with z + b is prediction by a model that was trained with l - b, for a model that fits: with u = z + l
fitted, z = log p(y|x) - l up to a constant. So for l the derivative of the objective through the whole of a training
is, in that limit, minus its derivative in b. It needs no unrolling, and every sample that was held out counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.objectives import Objective

#: (outputs, batch, temperature of the softmax, temperature of soft maxima) -> the smooth objective, a scalar.
Smooth = Callable[[Tensor, Batch, float, float], Tensor]
#: (outputs, batch) -> the exact metric, smaller is better.
Exact = Callable[[Tensor, Batch], float]

#: The softmax's temperature, in units of the outputs' scale; that of soft maxima, in error rates.
TEMPERATURE, MAXIMUM = 0.2, 0.05
#: What a step along the frequency law costs, against one beside it: frequencies are a reason, single classes are noise.
ALONG_LAW = 0.3
#: Penalties that cross-validation chooses from; an infinite one leaves the logits as they are.
PENALTIES = (math.inf, 0.3, 0.03, 0.003)
#: Parts of the samples in that cross-validation.
PARTS = 5
#: Of the optimiser: steps of Adam, their length at the start, which falls to zero, and its averages.
STEPS, STEP, BETAS = 25, 0.4, (0.8, 0.95)


def scale_of(outputs: Tensor) -> Tensor:
    """The median gap between the two largest logits, of samples (N, K): the unit of offsets."""
    top = outputs.topk(2, dim=1).values
    return (top[:, 0] - top[:, 1]).median().clamp_min(torch.finfo(outputs.dtype).eps)


def frequency_law(counts: Tensor) -> Tensor:
    """log n_k less its mean, over its standard deviation, (K,): the direction of logit adjustment; zeros where all
    classes have the same number of samples.

    Args:
        counts: samples of each class, (K,), or of each class in each group, (K, G).
    """
    law = (counts if counts.dim() == 1 else counts.sum(1)).double().clamp_min(1).log()
    law = law - law.mean()
    size = law.square().mean().sqrt()
    return law / size if size > 1e-9 else torch.zeros_like(law)


@dataclass(frozen=True)
class Offsets:
    """The problem of finding offsets b, (K,), of mean zero.

    With outputs z in units of their scale, b = c v + r along and beside the frequency law v, and a penalty λ,

        b = argmin smooth(z + b) + λ (mean r² + 0.3 c²)

    Args:
        smooth: the objective.
        law: v, (K,).
        basis: what r is within, (K, C); zeros (K, 0): offsets follow the law alone.
    """

    smooth: Smooth
    law: Tensor
    basis: Tensor

    def fit(self, outputs: Tensor, batch: Batch, penalty: float) -> Tensor:
        """The offsets b, (K,), for outputs (N, K) in units of their scale; zeros for an infinite penalty."""
        law, basis = self.law.to(outputs), self.basis.to(outputs)
        if penalty == float("inf"):
            return torch.zeros_like(law)
        numbers = torch.zeros(1 + basis.shape[1]).to(outputs).requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=STEP, betas=BETAS)
        for step in range(STEPS):
            for group in optimiser.param_groups:
                group["lr"] = STEP * (1 - step / STEPS)
            b, cost = self._at(numbers, law, basis)
            value = self.smooth(outputs + b, batch, TEMPERATURE, MAXIMUM) + penalty * cost
            (numbers.grad,) = torch.autograd.grad(value, [numbers])
            optimiser.step()
        return self._at(numbers.detach(), law, basis)[0]

    @staticmethod
    def _at(numbers: Tensor, law: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
        """The offsets at some numbers, and what the penalty is times."""
        free = basis @ numbers[1:]
        along = numbers[0] + (free * law).mean()
        beside = free - free.mean() - (free * law).mean() * law
        return along * law + beside, beside.square().mean() + ALONG_LAW * along.square()


@dataclass(frozen=True)
class Crossed:
    """Offsets of one penalty, judged on outputs that they were not found on.

    Args:
        penalty: λ.
        figure: the exact metric.
        tie: the smooth objective, which decides between equal figures.
        outputs: with the offsets, (N, K), in units of the scale.
    """

    penalty: float
    figure: float
    tie: float
    outputs: Tensor


def cross_validated(
    problem: Offsets, outputs: Tensor, batch: Batch, exact: Exact, penalties: Sequence[float], part: Tensor
) -> list[Crossed]:
    """Each penalty judged by cross-validation of the outputs.

    Args:
        problem: how offsets are found.
        outputs: (N, K), in units of their scale.
        batch: their samples, of which y and group are looked at.
        exact: what is compared.
        penalties: to judge; an infinite one stands for no offsets.
        part: which one each sample is in, (N,).
    """
    judged = []
    for penalty in penalties:
        crossed = _crossed(problem, outputs, batch, penalty, part)
        tie = float(problem.smooth(crossed, batch, TEMPERATURE, MAXIMUM))
        judged.append(Crossed(penalty, exact(crossed, batch), tie, crossed))
    return judged


def _crossed(problem: Offsets, outputs: Tensor, batch: Batch, penalty: float, part: Tensor) -> Tensor:
    """The outputs of each part with the offsets that were found on the other parts."""
    if penalty == float("inf"):
        return outputs
    found = outputs.clone()
    for number in part.unique():
        rest, held = (part != number).nonzero()[:, 0], (part == number).nonzero()[:, 0]
        group = None if batch.group is None else batch.group[rest]
        found[held] += problem.fit(outputs[rest], Batch(batch.x[:0], batch.y[rest], group), penalty)
    return found


def best_of(problem: Offsets, outputs: Tensor, batch: Batch, exact: Exact, part: Tensor) -> Crossed:
    """The best of `PENALTIES`; equal figures are told apart by the smooth objective.

    Args:
        problem, batch, exact, part: see `cross_validated`.
        outputs: (N, K), in whatever unit, which those of the result have too.
    """
    scale = scale_of(outputs)
    each = cross_validated(problem, outputs.double() / scale, batch, exact, PENALTIES, part)
    best = min(each, key=lambda crossed: (crossed.figure, crossed.tie))
    return replace(best, outputs=best.outputs * scale)


def refitted(problem: Offsets, outputs: Tensor, batch: Batch, penalty: float) -> Tensor:
    """The offsets, (K,), of all samples, in the unit of the outputs."""
    scale = scale_of(outputs)
    return scale * problem.fit(outputs.double() / scale, batch, penalty)


def dealt(y: Tensor, seed: int) -> Tensor:
    """The part that each sample is in, (N,), every class in proportion."""
    classes, generator, at = y.cpu().numpy(), np.random.default_rng(seed), 0
    part = np.empty(len(classes), dtype=np.int64)
    for k in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == k))
        part[members] = (np.arange(len(members)) + at) % PARTS
        at += len(members)
    return torch.from_numpy(part)


def find_offsets(outputs: Tensor, target: Tensor, objective: Objective, seed: int = 0) -> Tensor:
    """Offsets b of logits that make an objective small: to be added to those of a finished model, or given to a loss.

    Args:
        outputs: logits, (N, K), of samples that the model was not trained on.
        target: their classes, (N,).
        objective: what is made small, without groups.
        seed: of the cross-validation that chooses the penalty.

    Returns:
        b, (K,), of mean zero; zeros where no offsets came out better than none.
    """
    counts, batch = target.bincount(minlength=outputs.shape[1]), Batch(outputs[:0], target, None)
    problem = Offsets(objective.soft_confusion, frequency_law(counts), torch.eye(len(counts)))
    best = best_of(problem, outputs, batch, objective.metric, dealt(target, seed))
    return refitted(problem, outputs, batch, best.penalty)
