"""Tables with a number as target, and scikit-learn's diabetes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, to_samples
from autobalance.data._assemble import Options
from autobalance.data._numbers import check_varied, ordered_split, problem_of_numbers
from autobalance.data._samples import Problem
from autobalance.data._split import TEST_FRACTION, Index, three_parts
from autobalance.data.sources._read_table import open_rows
from autobalance.data.sources._table import encode, numbers_of, target_column

if TYPE_CHECKING:
    import pandas as pd

#: Samples below which a fifth of a fifth is no longer worth looking at.
FEWEST = 50


def load_diabetes(options: Options) -> Problem:
    """Disease progression of 442 patients from ten measurements (Efron et al. 2004, in scikit-learn).

    The test split is the same whatever the seed, so that nothing that was tuned with one seed has seen the test samples
    of another.
    """
    from sklearn import datasets

    options.refuse_columns("diabetes")
    bunch = datasets.load_diabetes(as_frame=True, scaled=False)
    targets = bunch.target.to_numpy(np.float64)
    rest, test = ordered_split(targets, TEST_FRACTION, np.random.default_rng(0))
    return _problem("diabetes", bunch.data, targets, {"train": rest, "test": test}, options)


def load_regression_table(path: Path, options: Options) -> Problem:
    """Read a table whose target column holds numbers; where it has no parts, split off a fifth for test, then
    ``validation_fraction`` of the rest, both along the whole range of the target, by the seed. The other columns are
    encoded as by ``load_table``.
    """
    rows = open_rows(path, options)
    targets = numbers_of(target_column(rows.frame, options.target, path, "number to predict"))
    if len(targets) < FEWEST and not rows.given:
        raise InputError(f"{path} has {len(targets)} rows, too few to split in three: a regression needs {FEWEST}")
    return _problem(rows.name, rows.frame.drop(columns=[options.target]), targets, rows.given, options)


def _problem(
    name: str, features: pd.DataFrame, targets: NDArray[np.float64], given: Mapping[str, Index], options: Options
) -> Problem:
    options.refuse_imbalance(name, "the targets of a regression have their own density")
    generator = np.random.default_rng(options.seed)

    def draw(among: Index, fraction: float, leave: int) -> tuple[Index, Index]:
        first, second = ordered_split(targets[among], fraction, generator)
        return among[first], among[second]

    index = three_parts(len(targets), given, options.validation_fraction, draw)
    check_varied(targets[index[0]], f"the target {options.target!r} of the training rows")
    none = f"{name} has no column beside the target {options.target!r}"
    encoded = encode(features, options.text, index[0], none)
    parts = to_samples([Arrays(encoded[i], targets[i]) for i in index], standardise=False)
    return problem_of_numbers(name, parts, options.bins, own_validation="val" in given and "test" in given)
