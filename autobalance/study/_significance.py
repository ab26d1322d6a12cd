"""Whether methods differ by more than chance: over seeds, and over problems."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np


def paired_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The two-sided p of a paired t-test, or None where there is none: one pair, or the same difference in all."""
    from scipy import stats

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


def corrected(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's correction of the tests that there are; None stays None."""
    tested = {name: p for name, p in p_values.items() if p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: adjusted.get(name) for name in p_values}


def against_best(errors: Mapping[str, Sequence[float]]) -> tuple[str, dict[str, float | None]]:
    """The method of the smallest mean, and each other's corrected p against it.

    Args:
        errors: by method, the error of each seed, in the same order of seeds.

    Returns:
        the best method, and p by method; None for the best itself and where there is no test.
    """
    best = min(errors, key=lambda name: float(np.mean(errors[name])))
    return best, corrected(
        {name: None if name == best else paired_p(values, errors[best]) for name, values in errors.items()}
    )


def average_ranks(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of methods, 1 for the lowest mean; ties share theirs.

    Args:
        means: (problems, methods).

    Returns:
        the average rank of each method, (methods,), and the ranks, (problems, methods).
    """
    from scipy import stats

    ranks = stats.rankdata(means, axis=1)
    return ranks.mean(0), ranks


def friedman_p(means: np.ndarray) -> float | None:
    """Friedman's test that all methods are alike, (problems, methods); None for fewer than three, or one problem."""
    from scipy import stats

    if means.shape[1] < 3 or len(means) < 2:
        return None
    p = float(stats.friedmanchisquare(*means.T).pvalue)
    return None if math.isnan(p) else p


def critical_difference(methods: int, problems: int, level: float = 0.05) -> float:
    """By how much average ranks have to differ to be different at a level, all pairs considered.

    q √(k (k + 1) / (6 N)) for k methods on N problems (Nemenyi's test; Demšar 2006, section 3.2.2).
    """
    from scipy import stats

    q = stats.studentized_range.ppf(1 - level, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * problems)))


def wilcoxon_p(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Wilcoxon's signed-rank test over problems, of the differences as shares: (a - b) / (a + b).

    Returns:
        the two-sided p, or None where there is none: one pair, or no difference in any.
    """
    from scipy import stats

    shares = [(a - b) / (a + b) if a + b else 0.0 for a, b in pairs]
    if len(shares) < 2 or not any(shares):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zeros and ties, which it handles
        return float(stats.wilcoxon(shares).pvalue)
