"""Targets that are numbers: a table's column or scikit-learn's diabetes, split along their range and binned."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from autobalance.data._assemble import Options
from autobalance.data._samples import Problem, Samples
from autobalance.data._split import Index, stratified_split
from autobalance.data._table import TEST_FRACTION, encode, numbers_of, read_table, target_column
from autobalance.density import make_bin_edges
from autobalance.errors import InputError

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

    options.refuse_target("diabetes")
    bunch = datasets.load_diabetes(as_frame=True, scaled=False)
    targets = bunch.target.to_numpy(np.float64)
    rest, test = ordered_split(targets, TEST_FRACTION, np.random.default_rng(0))
    return _problem("diabetes", bunch.data, targets, rest, test, options, np.random.default_rng(options.seed))


def load_regression_table(path: Path, options: Options) -> Problem:
    """Read a table whose target column holds numbers; split off a fifth for test, then ``validation_fraction`` of the
    rest, both along the whole range of the target, by the seed. The other columns are encoded as by ``load_table``.
    """
    frame = read_table(path)
    targets = numbers_of(target_column(frame, options.target, path, "number to predict"))
    if len(targets) < FEWEST:
        raise InputError(f"{path} has {len(targets)} rows, too few to split in three: a regression needs {FEWEST}")
    generator = np.random.default_rng(options.seed)
    rest, test = ordered_split(targets, TEST_FRACTION, generator)
    name = path.name.removesuffix(".gz").rpartition(".")[0]
    return _problem(name, frame.drop(columns=[options.target]), targets, rest, test, options, generator)


def ordered_split(targets: NDArray[np.float64], fraction: float, generator: np.random.Generator) -> tuple[Index, Index]:
    """Two disjoint random parts, positions ascending: of each run of neighbouring targets, about ``2 / fraction`` long,
    the same share goes to the second part, so that both parts cover the range alike."""
    if not 0 < fraction < 1:
        raise InputError(f"a split takes a fraction between 0 and 1 of the samples, got {fraction}")
    runs = max(1, int(len(targets) * min(fraction, 1 - fraction) / 2))
    rank = np.empty(len(targets), dtype=np.int64)
    rank[np.lexsort((generator.random(len(targets)), targets))] = np.arange(len(targets))
    return stratified_split(rank * runs // len(targets), fraction, generator)


def _problem(
    name: str,
    features: pd.DataFrame,
    targets: NDArray[np.float64],
    rest: Index,
    test: Index,
    options: Options,
    generator: np.random.Generator,
) -> Problem:
    options.refuse_imbalance(name, "the targets of a regression have their own density")
    inner, outer = ordered_split(targets[rest], options.validation_fraction, generator)
    parts = [rest[inner], rest[outer], test]
    encoded = encode(features, parts[0], f"{name} has no column beside the target {options.target!r}")
    edges = tuple(make_bin_edges(targets[parts[0]], options.bins).tolist())
    train, validation, held_out = (
        Samples(torch.from_numpy(encoded[i]), torch.from_numpy(targets[i].astype(np.float32))) for i in parts
    )
    return Problem(name, train, validation, held_out, bin_names(edges), bin_edges=edges)


def bin_names(edges: tuple[float, ...]) -> tuple[str, ...]:
    """What people call the bins: the whole number that a bin is about, else ``low to high``."""
    if all(edge % 1 == 0.5 for edge in edges) and all(b - a == 1 for a, b in pairwise(edges)):
        return tuple(f"{edge + 0.5:.0f}" for edge in edges[:-1])
    return tuple(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges))
