"""What the splits of problems say of two methods: equal, better or worse."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

#: From the posterior: probabilities are then within 0.01.
DRAWS = 10_000


def corrected_p(differences: Sequence[float], test_share: float) -> float | None:
    """The two-sided p of the corrected resampled t-test (Nadeau and Bengio 2003, equation for their σ̂² of the mean):

        t = d̄ / √((1/J + n_test / n_train) s²),    J - 1 degrees of freedom

    since training sets of random splits overlap, the plain variance of the mean is too small.

    Args:
        differences: d, one a split, (J,).
        test_share: n_test / n_train.

    Returns:
        p; 1 where all differences are 0, None for fewer than two splits or the same difference in all.
    """
    from scipy import stats

    number = len(differences)
    if number < 2:
        return None
    mean, variance = statistics.fmean(differences), statistics.variance(differences)
    if variance == 0:
        return 1.0 if mean == 0 else None
    t = mean / math.sqrt((1 / number + test_share) * variance)
    return float(2 * stats.t.sf(abs(t), number - 1))


def probabilities(differences: Sequence[float], margin: float) -> tuple[float, float, float]:
    """Of better, the same and worse over problems: Bayesian signed-rank test (Benavoli et al. 2017).

    Args:
        differences: a problem's mean difference as a share of the rival's figure, below 0 where better; one a problem.
        margin: what is the same.
    """
    from baycomp import SignedRankTest

    shares = np.asarray(differences, dtype=float)
    zeros = np.zeros_like(shares)
    better, same, worse = SignedRankTest.probs(zeros, shares, rope=margin, nsamples=DRAWS, random_state=0)
    return float(better), float(same), float(worse)
