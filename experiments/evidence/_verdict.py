"""What a track's figures say against each rival, by the statement that was fixed beforehand."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autobalance.study import average_ranks, corrected
from experiments.evidence._plan import Margin
from experiments.evidence._statistics import corrected_p, probabilities

LEVEL = 0.05
OURS = "ours"
#: By problem, then by way: a record a split with figure, cost and test_share.
Figures = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True)
class Pair:
    """One way against another on one problem.

    Args:
        difference: mean over the splits of the first's figure less the second's; below 0: the first is better.
        share: the same as a share of the second's figure.
        p: corrected for overlapping splits, and by Holm over the problems; None where there is no test.
        beyond: whether the difference is larger than what is practically the same.
    """

    difference: float
    share: float
    p: float | None
    beyond: bool

    @property
    def significant(self) -> bool:
        return self.p is not None and self.p < LEVEL

    @property
    def word(self) -> str:
        """better or worse where that is significant, same where the difference is within the margin, else open."""
        if self.significant:
            return "better" if self.difference < 0 else "worse"
        return "open" if self.beyond else "same"


def pairs(found: Figures, first: str, second: str, margin: Margin) -> dict[str, Pair]:
    """The first way against the second on every problem."""
    raw: dict[str, tuple[float, float, float | None]] = {}
    for problem, ways in found.items():
        differences = [a["figure"] - b["figure"] for a, b in zip(ways[first], ways[second], strict=True)]
        rival = statistics.fmean(each["figure"] for each in ways[second])
        mean = statistics.fmean(differences)
        raw[problem] = mean, rival, corrected_p(differences, ways[first][0]["test_share"])
    adjusted = corrected({problem: p for problem, (_, _, p) in raw.items()})
    return {
        problem: Pair(
            mean,
            mean / rival if rival else 0.0,
            adjusted[problem],
            abs(mean) > max(margin.points, margin.share * rival),
        )
        for problem, (mean, rival, _) in raw.items()
    }


@dataclass(frozen=True)
class Against:
    """Ours against a rival over all problems of a track.

    Args:
        rival: its name.
        each: by problem.
        probabilities: of better, the same and worse over problems.
    """

    rival: str
    each: Mapping[str, Pair]
    probabilities: tuple[float, float, float]

    def count(self, word: str) -> int:
        """On how many problems the outcome is ``better``, ``same``, ``open`` or ``worse``."""
        return sum(pair.word == word for pair in self.each.values())

    @property
    def beyond_worse(self) -> list[str]:
        """Problems on which ours is above the rival by more than the margin, significant or not."""
        return [name for name, pair in self.each.items() if pair.beyond and pair.difference > 0]

    @property
    def mean_share(self) -> float:
        return statistics.fmean(pair.share for pair in self.each.values())


def against(found: Figures, rival: str, margin: Margin, first: str = OURS) -> Against:
    """The first way, ours, against a rival."""
    each = pairs(found, first, rival, margin)
    return Against(rival, each, probabilities([pair.share for pair in each.values()], margin.share))


def mean_figure(found: Figures, problem: str, way: str) -> float:
    """The mean over the splits."""
    return statistics.fmean(each["figure"] for each in found[problem][way])


def ranks(found: Figures, names: Sequence[str]) -> dict[str, float]:
    """The average rank of each way over the problems, 1 is best."""
    import numpy as np

    means = np.array([[mean_figure(found, problem, name) for name in names] for problem in found])
    return dict(zip(names, average_ranks(means)[0].tolist(), strict=True))


def cost(found: Figures, way: str) -> float:
    """The median of what the decision took, in plain trainings by the clock; NaN for other models."""
    return statistics.median(each["cost"] for ways in found.values() for each in ways[way])
