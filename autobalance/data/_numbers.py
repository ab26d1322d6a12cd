"""Targets that are numbers: what they must be, how they are split along their range, and their bins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autobalance.common import InputError, trimmed
from autobalance.common.density import make_bin_edges
from autobalance.data._arrays import Arrays, check_inputs
from autobalance.data._parts import Given
from autobalance.data._samples import Problem, Samples
from autobalance.data._split import Index, stratified_split


def check_number_parts(given: Mapping[str, Given]) -> dict[str, Arrays]:
    """Checked arrays of each part, the targets as float64.

    Args:
        given: inputs (N, ...), targets (N,) and None of "train" and of any others.

    Raises:
        InputError: inputs or targets that are no finite numbers, groups, or constant training targets.
    """
    checked = {}
    for part, (x, y, group) in given.items():
        if group is not None:
            raise InputError(f"group_{part} has no effect on a regression: leave the groups out")
        x = check_inputs(x, part)
        targets = np.asarray(y)
        if targets.shape != (len(x),):
            raise InputError(f"y_{part} has shape {targets.shape}, not ({len(x)},), one target for each of the samples")
        if targets.dtype.kind not in "iuf":
            raise InputError(f"y_{part} holds {targets.dtype}, not numbers: a regression needs numbers to predict")
        checked[part] = Arrays(x, check_numbers(targets.astype(np.float64), f"y_{part}"))
    check_varied(checked["train"].y, "y_train")
    return checked


def check_numbers(targets: NDArray[np.float64], place: str) -> NDArray[np.float64]:
    """The targets, once they are known to be finite float32 numbers."""
    fine = np.abs(targets) <= np.finfo(np.float32).max
    if not fine.all():
        at = int(np.argmin(fine))
        raise InputError(f"{place}[{at}] is {targets[at]}: targets must be finite numbers")
    return targets


def check_varied(targets: NDArray[np.float64], place: str) -> None:
    if targets.min() == targets.max():
        raise InputError(f"{place} is constant, always {targets[0]:g}: there is nothing to predict")


def ordered_split(targets: NDArray[np.float64], fraction: float, generator: np.random.Generator) -> tuple[Index, Index]:
    """Two disjoint random parts, positions ascending: of each run of neighbouring targets, about ``2 / fraction`` long,
    the same share goes to the second part, so that both parts cover the range alike."""
    if not 0 < fraction < 1:
        raise InputError(f"a split takes a fraction between 0 and 1 of the samples, got {fraction}")
    runs = max(1, int(len(targets) * min(fraction, 1 - fraction) / 2))
    rank = np.empty(len(targets), dtype=np.int64)
    rank[np.lexsort((generator.random(len(targets)), targets))] = np.arange(len(targets))
    return stratified_split(rank * runs // len(targets), fraction, generator)


def problem_of_numbers(
    name: str,
    parts: Sequence[Samples],
    bins: int | None,
    make_model: Callable[[], nn.Module] | None = None,
    own_validation: bool = False,
) -> Problem:
    """The regression on three parts with float targets, binned as the training targets ask for or into ``bins``."""
    train, validation, test = parts
    edges = tuple(make_bin_edges(train.y, bins).tolist())
    return Problem(name, train, validation, test, bin_names(edges), make_model, edges, own_validation)


def bin_names(edges: tuple[float, ...]) -> tuple[str, ...]:
    """What people call the bins: the whole number that a bin is about, else ``low to high``."""
    if all(edge % 1 == 0.5 for edge in edges) and all(b - a == 1 for a, b in pairwise(edges)):
        return tuple(f"{edge + 0.5:.0f}" for edge in edges[:-1])
    return tuple(f"{trimmed(a, 4)} to {trimmed(b, 4)}" for a, b in pairwise(edges))
