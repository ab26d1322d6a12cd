"""The guard: is the searched loss better than the fixed ones, on samples that none of them was trained on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch, resamplings
from autobalance.losses import Loss, Member, ScheduledLoss
from autobalance.tasks.metrics import Largest, Outputs
from autobalance.tasks.objectives import Standing

#: How outputs stand on a batch of samples.
Judge = Callable[[Outputs, Batch], Standing]

SEARCHED = "searched"
#: Folds that the candidates are judged on where nothing else is said.
CHOICE_FOLDS = 3
#: With which offsets of outputs, or numbers that were moved within one training, have to beat the start where samples
#: have groups: a cell has few samples, a model on folds fewer still; what it lacks there, the final training may not.
GROUP_CONFIDENCE = 0.99
#: Resamplings of the held-out samples.
DRAWS = 400


@dataclass(frozen=True)
class Choice:
    """Which loss to use, and how sure that is.

    Args:
        chosen: ``searched`` where it beats ``best_fixed`` with the confidence that was asked for, else ``best_fixed``;
            where one of the two meets the objective's constraints and the other does not, that one.
        best_fixed: the loss that the search started from, unless another fixed one beats it likewise.
        margin: the metric of ``best_fixed`` less that of the searched loss; above 0 where the searched is better.
        confidence: the share of the resamplings in which the searched loss is better; a tie counts half. Where not both
            meet the constraints, better is what violates them less.
        interval: 2.5 and 97.5 % quantiles of the margin over the resamplings.
        held_out: the metric of each candidate, of an objective with constraints that of what is made small.
        constraints: of each candidate, see `Standing`.
    """

    chosen: str
    best_fixed: str
    margin: float
    confidence: float
    interval: tuple[float, float]
    held_out: dict[str, float]
    constraints: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)


def member(name: str, loss: Loss) -> Member | ScheduledLoss:
    """A loss that may be chosen: one that a file can hold.

    Raises:
        InputError: it is no member of a family.
    """
    if isinstance(loss, Member | ScheduledLoss) and all(isinstance(stage.loss, Member) for stage in loss.stages):
        return loss
    raise InputError(f"{name} cannot be a candidate: a loss file holds members of a family only; leave it out")


def doubted(outputs: Mapping[str, Outputs], batch: Batch, strata: np.ndarray) -> tuple[dict[str, Outputs], Batch]:
    """Held-out samples, and for each candidate one more in each stratum that this candidate alone gets wrong.

    Rates of few samples are less sure than resamplings of them say: of what was seen never, none is ever drawn. These
    samples are a uniform prior of how often one candidate is right where another is wrong (Laplace's rule of
    succession): a difference of two samples in a cell of ten, found by looking at those ten, is then no proof.

    Args:
        outputs: logits of each candidate, (N, K); of the largest of very many, the predicted classes are looked at.
        batch: the N samples, of which only y and group are looked at.
        strata: (N,), each sample's class, and group.
    """
    _, places, stratum = np.unique(strata, return_index=True, return_inverse=True)
    y, number = batch.y[places], len(outputs)
    more: dict[str, Outputs] = {}
    for name, output in outputs.items():
        if isinstance(output, Largest):
            mistaken = _mistaken(output, batch.y, stratum, y)
            more[name] = torch.cat([output.predicted, *(mistaken if name == alone else y for alone in outputs)])
            continue
        means = torch.stack([output[torch.from_numpy(stratum == each)].mean(0) for each in range(len(places))])
        right, wrong = _answering(means, y, True), _answering(means, y, False)
        more[name] = torch.cat([output, *(wrong if name == alone else right for alone in outputs)])
    group = None if batch.group is None else torch.cat([batch.group, batch.group[places].repeat(number)])
    return more, Batch(batch.x, torch.cat([batch.y, y.repeat(number)]), group)


def _answering(logits: Tensor, y: Tensor, right: bool) -> Tensor:
    """The same logits, dealt to the classes so that the largest is that of y, or is not: (N, K) and (N,)."""
    own = torch.nn.functional.one_hot(y, logits.shape[1]).bool()
    top = logits.argmax(1) if right else logits.masked_fill(own, -torch.inf).argmax(1)
    kept = (logits.argmax(1) == y) == right
    swapped, rows = logits.clone(), torch.arange(len(y))
    swapped[rows, y], swapped[rows, top] = logits[rows, top], logits[rows, y]
    return torch.where(kept[:, None], logits, swapped)


def _mistaken(output: Largest, y: Tensor, stratum: np.ndarray, of_strata: Tensor) -> Tensor:
    """The wrong class that the samples of each of S strata are taken for most often, (S,); where they never are, the
    class after their own, for it matters little which.

    Args:
        output: for N samples.
        y: their classes, (N,).
        stratum: the stratum that each is in, (N,).
        of_strata: the classes of the strata, (S,).
    """
    answer, classes = output.predicted, output.classes
    wrong = (answer != y).numpy()
    pairs, times = np.unique(stratum[wrong] * classes + answer.numpy()[wrong], return_counts=True)
    rising = pairs[np.argsort(times, kind="stable")]  # of each stratum the most frequent comes last
    mistaken = dict(zip((rising // classes).tolist(), (rising % classes).tolist(), strict=True))
    return torch.tensor([mistaken.get(at, (k + 1) % classes) for at, k in enumerate(of_strata.tolist())])


def choose(
    outputs: Mapping[str, Outputs],
    start: str,
    batch: Batch,
    strata: np.ndarray,
    judge: Judge,
    needed: float,
    seed: int = 0,
) -> Choice:
    """Compares candidates on held-out samples, the same for all.

    A margin between two candidates gets a paired bootstrap distribution: the samples are drawn anew, with replacement,
    within each stratum, so that every class keeps its number (Efron & Tibshirani 1993, section 8.3). It holds the
    chance in the held-out samples, not that in the training.

    Whatever was known before the samples were looked at stays unless something beats it with confidence: first the
    loss that the search started from against the other fixed ones, then the winner against the searched loss.
    Constraints come before confidence: of two candidates of which one meets them all on the held-out samples, that one
    is taken. Two that meet them are compared by the metric, two that do not by what they violate.

    Args:
        outputs: of each candidate, (N, ...), all that ``judge`` looks at; one of them is `SEARCHED`, another ``start``.
        start: the name of the fixed loss that the search started from.
        batch: the samples, of which only y and group are looked at.
        strata: (N,), each sample's class or bin, and group.
        judge: by what they are compared.
        needed: the confidence from which on a candidate replaces another.
        seed: of the resamplings.
    """
    stands = {name: judge(output, batch) for name, output in outputs.items()}
    drawn: dict[str, list[Standing]] = {name: [] for name in outputs}
    for index in resamplings(strata, seed, DRAWS):
        part = Batch(batch.x[:0], batch.y[index], None if batch.group is None else batch.group[index])
        for name, output in outputs.items():
            drawn[name].append(judge(output[index], part))
    figures = {name: np.array([each.figure for each in drawn[name]]) for name in outputs}
    violations = {name: np.array([each.violation for each in drawn[name]]) for name in outputs}

    def confidence(name: str, other: str) -> float:
        better, same = figures[name] < figures[other], figures[name] == figures[other]
        if not (stands[name].met and stands[other].met):
            less, alike = violations[name] < violations[other], violations[name] == violations[other]
            better, same = less | alike & better, alike & same
        return float(np.mean(better) + 0.5 * np.mean(same))

    def replaces(name: str, other: str) -> bool:
        if stands[name].met != stands[other].met:
            return stands[name].met
        return confidence(name, other) >= needed

    better = [name for name in outputs if name != SEARCHED and name != start and replaces(name, start)]
    best_fixed = min(better, key=stands.__getitem__, default=start)
    low, high = np.quantile(figures[best_fixed] - figures[SEARCHED], (0.025, 0.975))
    return Choice(
        chosen=SEARCHED if replaces(SEARCHED, best_fixed) else best_fixed,
        best_fixed=best_fixed,
        margin=stands[best_fixed].figure - stands[SEARCHED].figure,
        confidence=confidence(SEARCHED, best_fixed),
        interval=(float(low), float(high)),
        held_out={name: each.figure for name, each in stands.items()},
        constraints={
            name: {text: dict(figures) for text, figures in each.constraints.items()}
            for name, each in stands.items()
            if each.constraints
        },
    )
