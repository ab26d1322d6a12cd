"""By how much the searched loss differs from a fixed one, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from autobalance.study.report._ranking import as_float
from autobalance.study.report._scores import Score


@dataclass(frozen=True)
class Difference:
    """The searched loss's figure less that of a fixed one; below 0 where the searched loss is better.

    A difference counts where it is larger than the combined standard deviation of the two over the seeds, the root of
    the sum of their variances; of a single seed where the 95 % interval of the bootstrap of the test samples is on one
    side of 0. Without either, nothing is called better or worse.

    Args:
        value: the mean over the seeds.
        by: ``seeds``, ``test samples`` or, where there is no spread, None.
        low, high: what it is within: the value less and plus the combined standard deviation, or the interval.
        better: in how many of the seeds, or in which share of the resamplings, the searched loss is better; None where
            the seeds differ.
        number: of the seeds, or of the test samples.
    """

    value: float
    by: Literal["seeds", "test samples"] | None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    number: int | None = None

    @property
    def kind(self) -> str:
        """``better``, ``worse``, ``same`` or ``undecided``."""
        if self.low is None or self.high is None:
            return "undecided"
        if self.low <= 0 <= self.high:
            return "same"
        return "better" if self.value < 0 else "worse"


def difference(result: dict[str, Any], searched: Score, fixed: Score) -> Difference:
    """The difference of two methods of a run."""
    value, combined = searched.mean - fixed.mean, math.hypot(searched.std, fixed.std)
    if math.isfinite(combined):
        better = None
        if len(searched.by_seed) == len(fixed.by_seed):
            better = sum(own < other for own, other in zip(searched.by_seed, fixed.by_seed, strict=True))
        return Difference(value, "seeds", value - combined, value + combined, better, searched.seeds)
    drawn = sampled(result, fixed)
    low, high = as_float(drawn.get("low")), as_float(drawn.get("high"))
    if not (math.isfinite(low) and math.isfinite(high)):
        return Difference(value, None)
    return Difference(value, "test samples", low, high, as_float(drawn["better"]), result["sampling"]["samples"])


def sampled(result: dict[str, Any], fixed: Score) -> dict[str, Any]:
    """What the bootstrap of the test samples says of the searched loss against a fixed one; empty without one."""
    return dict(((result.get("sampling") or {}).get("against") or {}).get(fixed.method) or {})
