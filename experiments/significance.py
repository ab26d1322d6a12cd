"""Whether methods differ by more than their seeds do: paired t-tests against the best, corrected for their number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats


def paired_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The two-sided p of a paired t-test, or None where there is none: one pair, or the same difference in all."""
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    if len(difference) < 2:
        return None
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nearly equal differences
        p = float(stats.ttest_rel(a, b).pvalue)
    return None if math.isnan(p) else p


def holm(values: Sequence[float]) -> list[float]:
    """Holm's (1979) correction: adjusted p, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


def against_best(errors: Mapping[str, Sequence[float]]) -> tuple[str, dict[str, float | None]]:
    """The method of the smallest mean, and each other's corrected p against it.

    Args:
        errors: by method, the error of each seed, in the same order of seeds.

    Returns:
        the best method, and p by method; None for the best itself and where there is no test.
    """
    best = min(errors, key=lambda name: float(np.mean(errors[name])))
    raw = {name: None if name == best else paired_p(values, errors[best]) for name, values in errors.items()}
    tested = {name: p for name, p in raw.items() if p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return best, {name: corrected.get(name) for name in errors}
