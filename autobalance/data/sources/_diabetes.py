"""scikit-learn's diabetes, a small regression."""

from __future__ import annotations

import numpy as np

from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import Source
from autobalance.data._split import TEST_SHARE, ordered_split
from autobalance.data.sources._labelled import Labelled
from autobalance.data.sources._read_table import Rows
from autobalance.data.sources._table import problem_of_rows


def load_diabetes(source: str, options: DataOptions) -> Problem:
    """Disease progression of 442 patients from ten measurements (Efron et al. 2004, in scikit-learn).

    The test split is the same whatever the seed, so that nothing that was tuned with one seed has seen the test samples
    of another.
    """
    from sklearn import datasets

    bunch = datasets.load_diabetes(as_frame=True, scaled=False)
    targets = bunch.target.to_numpy(np.float64)
    rest, test = ordered_split(targets, TEST_SHARE, np.random.default_rng(0))
    return problem_of_rows(Labelled(Rows(source, bunch.data, {"train": rest, "test": test}), targets), options)


DIABETES = Source("diabetes", "scikit-learn's diabetes", load_diabetes, tasks=("regression",))
