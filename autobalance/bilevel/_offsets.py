"""Offsets of the logits that make an objective small, found on outputs that are there already.

Prediction with z + b is prediction by a model that was trained with l - b, for a model that fits: with u = z + l
fitted, z = log p(y|x) - l up to a constant. So for l the derivative of the objective through the whole of a training
is, in that limit, minus its derivative in b. It needs no unrolling, and every sample that was held out counts once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from autobalance.bilevel._outputs import kept, with_rows
from autobalance.bilevel.space import Tie, Untied
from autobalance.data import Batch
from autobalance.tasks.metrics import Largest, Outputs
from autobalance.tasks.objectives import Constrained, Objective, Standing, standing

#: The softmax's temperature, in units of the outputs' scale; that of soft maxima, in error rates.
TEMPERATURE, MAXIMUM = 0.2, 0.05
#: What a step along the frequency law costs, against one beside it: frequencies are a reason, single classes are noise.
ALONG_LAW = 0.3
#: Penalties that cross-validation chooses from; an infinite one leaves the logits as they are.
PENALTIES = (math.inf, 0.3, 0.03, 0.003)
#: Parts of the samples in that cross-validation.
PARTS = 5
#: How often multipliers of constraints are raised at most, how much faster each time, and the halvings of the way back.
RAISES, FASTER, HALVINGS = 5, 4.0, 3
#: How steep the penalties of constraints are, and how steep they become where multipliers alone overshoot.
STEEP, STEEPER = 10.0, (30.0, 100.0)
#: Of the optimiser: steps of Adam, their length at the start, which falls to zero, and its averages.
STEPS, STEP, BETAS = 25, 0.4, (0.8, 0.95)
#: Steps are so many times shorter and more with constraints, whose slopes would carry them past the main objective's.
FINER = 2


def scale_of(outputs: Outputs) -> Tensor:
    """The median gap between the two largest logits, of samples (N, K): the unit of offsets."""
    logits = outputs.values if isinstance(outputs, Largest) else outputs
    top = logits.topk(2, dim=1).values
    return (top[:, 0] - top[:, 1]).median().clamp_min(torch.finfo(logits.dtype).eps)


def in_units(outputs: Outputs) -> tuple[Outputs, Tensor]:
    """Outputs in units of their scale, and the scale. In double precision, but for the largest of very many logits."""
    scale = scale_of(outputs)
    return (outputs if isinstance(outputs, Largest) else outputs.double()) / scale, scale


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
        objective: whose smooth form is meant.
        law: v, (K,).
        tie: what r is within; without numbers: offsets follow the law alone.
        multipliers: of the objective's constraints, see `Constrained`; None: no constraint counts.
        steepness: ρ of their penalties.
    """

    objective: Objective
    law: Tensor
    tie: Tie
    multipliers: Tensor | None = None
    steepness: float = STEEP

    def smooth(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The smooth objective, a scalar, at the temperatures of this search."""
        if not isinstance(self.objective, Constrained):
            return self.objective.soft_confusion(outputs, batch, TEMPERATURE, MAXIMUM)
        if self.multipliers is None:
            return self.objective.main.soft_confusion(outputs, batch, TEMPERATURE, MAXIMUM)
        within = self.multipliers, self.steepness
        return self.objective.soft_confusion(outputs, batch, TEMPERATURE, MAXIMUM, *within)

    def fit(self, outputs: Outputs, batch: Batch, penalty: float) -> Tensor:
        """The offsets b, (K,), for outputs (N, K) in units of their scale; zeros for an infinite penalty."""
        law = self.law.to(outputs.device, outputs.dtype)
        if penalty == float("inf"):
            return torch.zeros_like(law)
        numbers = law.new_zeros(1 + len(self.tie.numbers())).requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=STEP, betas=BETAS)
        finer = 1 if self.multipliers is None else FINER
        for step in range(finer * STEPS):
            for group in optimiser.param_groups:
                group["lr"] = STEP / finer * (1 - step / (finer * STEPS))
            b, cost = self._at(numbers, law)
            value = self.smooth(outputs + b, batch) + penalty * cost
            (numbers.grad,) = torch.autograd.grad(value, [numbers])
            optimiser.step()
        return self._at(numbers.detach(), law)[0]

    def _at(self, numbers: Tensor, law: Tensor) -> tuple[Tensor, Tensor]:
        """The offsets at some numbers, and what the penalty is times."""
        free = self.tie.spread(numbers[1:])
        along = numbers[0] + (free * law).mean()
        beside = free - free.mean() - (free * law).mean() * law
        return along * law + beside, beside.square().mean() + ALONG_LAW * along.square()


@dataclass(frozen=True)
class Judged:
    """Held-out outputs, and how good they are.

    Args:
        standing: by the exact metric.
        tie: the smooth objective without its constraints, which decides between equal standings.
        outputs: (N, ...).
    """

    standing: Standing
    tie: float
    outputs: Outputs

    @property
    def rank(self) -> tuple[Standing, float]:
        """The smaller the better."""
        return self.standing, self.tie


@dataclass(frozen=True)
class Crossed(Judged):
    """Outputs (N, K), in units of the scale, with offsets of one penalty that were not found on them.

    Args:
        problem: how they were found.
        penalty: λ.
    """

    problem: Offsets
    penalty: float


def cross_validated(
    problem: Offsets, outputs: Outputs, batch: Batch, penalties: Sequence[float], part: Tensor
) -> list[Crossed]:
    """Each penalty judged by cross-validation of the outputs.

    Args:
        problem: how offsets are found.
        outputs: (N, K), in units of their scale.
        batch: their samples, of which y and group are looked at.
        penalties: to judge; an infinite one stands for no offsets.
        part: which one each sample is in, (N,).
    """
    judged = []
    for penalty in penalties:
        crossed = _crossed(problem, outputs, batch, penalty, part)
        tie = replace(problem, multipliers=None).smooth(crossed, batch).item()
        judged.append(Crossed(standing(problem.objective, crossed, batch), tie, crossed, problem, penalty))
    return judged


def within_bounds(
    problem: Offsets, outputs: Outputs, batch: Batch, penalties: Sequence[float], part: Tensor
) -> list[Crossed]:
    """Penalties judged with the constraints of the objective, which is a `Constrained`.

    First with multipliers μ = 0. If the best of these violates constraints by v, in the exact metric on the outputs
    that are judged, μ rises for its penalty by dual ascent, μ ← max(0, μ + 4^r ρ v) in trial r = 0, 1, ..., until all
    are met; further trials halve the way back to the last μ that was too small. Where the trade-off is not convex the
    offsets leap over the bound at some μ; so that μ is tried with steeper penalties too, which hold them nearer to it.

    What is not met at ten times the main objective's unit counts as what cannot be met (`Constrained.dearest`): it
    would cost too much of that, often for a single sample. Offsets are found on other parts than they are judged on, so
    what meets a bound by chance alone does not count.

    Args:
        problem, outputs, batch, part: see `cross_validated`.
        penalties: finite ones.
    """
    objective = problem.objective
    assert isinstance(objective, Constrained)
    low, high = torch.zeros(len(objective.constraints), dtype=torch.float64), None
    judged = cross_validated(replace(problem, multipliers=low), outputs, batch, penalties, part)
    last = min(judged, key=lambda crossed: crossed.rank)
    most = objective.dearest(last.standing.figure)
    raises = halvings = 0
    while not (last.standing.met and high is None) and raises < RAISES and halvings < HALVINGS:
        if high is None:
            beyond = objective.exact_violations(last.outputs, batch)
            now, raises = objective.raised(low, beyond, FASTER**raises, most), raises + 1
        else:
            now, halvings = (low + high) / 2, halvings + 1
        if torch.equal(now, low):
            break
        (last,) = cross_validated(replace(problem, multipliers=now), outputs, batch, [last.penalty], part)
        judged.append(last)
        low, high = (low, now) if last.standing.met else (now, high)
    for steepness in STEEPER if high is not None else ():
        steeper = replace(problem, multipliers=low, steepness=steepness)
        judged += cross_validated(steeper, outputs, batch, [last.penalty], part)
    return judged


def _crossed(problem: Offsets, outputs: Outputs, batch: Batch, penalty: float, part: Tensor) -> Outputs:
    """The outputs of each part with the offsets that were found on the other parts."""
    if penalty == float("inf"):
        return outputs
    found = []
    for number in (numbers := part.unique()):
        rest = (part != number).nonzero()[:, 0]
        group = None if batch.group is None else batch.group[rest]
        found.append(problem.fit(outputs[rest], Batch(batch.x[:0], batch.y[rest], group), penalty))
    return with_rows(outputs, torch.stack(found), torch.searchsorted(numbers, part))


def best_of(problem: Offsets, outputs: Outputs, batch: Batch, part: Tensor) -> Crossed:
    """The best of `PENALTIES`; equal standings are told apart by the smooth objective.

    The first offsets are those of the main objective alone; constraints that these meet cost nothing.

    Args:
        problem, batch, part: see `cross_validated`.
        outputs: (N, K), in whatever unit, which those of the result have too.
    """
    scaled, scale = in_units(outputs)
    each = cross_validated(problem, scaled, batch, PENALTIES, part)
    if missed := [one.penalty for one in each if not one.standing.met and one.penalty < math.inf]:
        each += within_bounds(problem, scaled, batch, missed, part)
    best = min(each, key=lambda crossed: crossed.rank)
    whole = best.outputs * scale
    if isinstance(whole, Largest) and isinstance(outputs, Largest):
        whole = replace(whole, rest=outputs.rest)
    return replace(best, outputs=whole)


def refitted(outputs: Outputs, batch: Batch, best: Crossed) -> Tensor:
    """The offsets, (K,), of all samples, found as the best were, in the unit of the outputs."""
    scaled, scale = in_units(outputs)
    return scale * best.problem.fit(scaled, batch, best.penalty)


def dealt(y: Tensor, seed: int) -> Tensor:
    """The part that each sample is in, (N,), every class in proportion."""
    classes, generator, at = y.cpu().numpy(), np.random.default_rng(seed), 0
    part = np.empty(len(classes), dtype=np.int64)
    for k in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == k))
        part[members] = (np.arange(len(members)) + at) % PARTS
        at += len(members)
    return torch.from_numpy(part)


def find_offsets(
    outputs: Tensor, target: Tensor, objective: Objective, seed: int = 0, group: Tensor | None = None
) -> Tensor:
    """Offsets b of logits that make an objective small: to be added to those of a finished model, or given to a loss.

    Args:
        outputs: logits, (N, K), of samples that the model was not trained on.
        target: their classes, (N,).
        objective: what is made small.
        seed: of the cross-validation that chooses the penalty.
        group: of the samples, (N,), where the objective looks at groups; the offsets are the same for all of them.

    Returns:
        b, (K,), of mean zero; zeros where no offsets came out better than none.
    """
    counts, batch = target.bincount(minlength=outputs.shape[1]), Batch(outputs[:0], target, group)
    problem, seen = Offsets(objective, frequency_law(counts), Untied(counts.double())), kept(outputs, target, objective)
    return refitted(seen, batch, best_of(problem, seen, batch, dealt(target, seed)))
