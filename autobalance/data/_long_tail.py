"""Long-tailed class counts, and the subset of a data set that has them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError


def long_tail_counts(largest: int, num_classes: int, imbalance: float, kind: str = "exp") -> list[int]:
    """Number of samples of each class in a long-tailed data set (Cui et al. 2019; Buda et al. 2018 for "step").

    "exp": class k has floor(largest * imbalance ** (-k / (K - 1))) samples, from ``largest`` down to
    ``largest / imbalance``. "step": the first half of the classes (the larger half where K is odd) has ``largest``
    samples each, the other half floor(largest / imbalance).

    Args:
        largest: samples of class 0.
        num_classes: K, at least 2.
        imbalance: the largest count over the smallest, at least 1.
        kind: "exp" or "step".

    Returns:
        K counts, from the largest to the smallest.

    Raises:
        InputError: an argument is out of range, or the last class would have no sample.

    >>> long_tail_counts(100, 3, 100)
    [100, 10, 1]
    >>> long_tail_counts(100, 4, 10, "step")
    [100, 100, 10, 10]
    """
    counts = _counts(largest, num_classes, imbalance, kind)
    if counts[-1] < 1:
        raise InputError(
            f"imbalance {imbalance:g} leaves no sample for the last of {num_classes} classes when the first has "
            f"{largest}: use an imbalance of at most {largest}"
        )
    return counts


def long_tail_subset(
    labels: NDArray[np.int64],
    imbalance: float,
    kind: str,
    generator: np.random.Generator,
    largest: int | None = None,
) -> NDArray[np.int64]:
    """Positions of a random long-tailed subset: class k keeps ``long_tail_counts(...)[k]`` of its samples.

    Args:
        labels: classes, shape (N,), values 0..K-1.
        imbalance: the largest count over the smallest, at least 1.
        kind: "exp" or "step".
        generator: what draws the samples to keep.
        largest: samples of class 0; by default as many as the data allow in every class.

    Returns:
        Positions in ``labels``, ascending.

    Raises:
        InputError: a class has fewer samples than it should keep.
    """
    have = np.bincount(labels).tolist()
    wanted = long_tail_counts(_most(have, imbalance, kind) if largest is None else largest, len(have), imbalance, kind)
    for k, (there, keep) in enumerate(zip(have, wanted, strict=True)):
        if there < keep:
            raise InputError(
                f"class {k} has {there} training samples, a long tail of imbalance {imbalance:g} needs {keep}: "
                "lower the imbalance or leave it out"
            )
    kept = [
        generator.choice(np.flatnonzero(labels == k), size=keep, replace=False, shuffle=False)
        for k, keep in enumerate(wanted)
    ]
    return np.sort(np.concatenate(kept))


def _counts(largest: int, num_classes: int, imbalance: float, kind: str) -> list[int]:
    if largest < 1 or num_classes < 2:
        raise InputError(f"a long tail needs a sample and two classes, got {largest} samples and {num_classes} classes")
    if not 1 <= imbalance < float("inf"):
        raise InputError(f"imbalance is the largest class over the smallest, a number of at least 1, got {imbalance}")
    if kind == "exp":
        return [int(largest / imbalance ** (k / (num_classes - 1))) for k in range(num_classes)]
    if kind == "step":
        return [largest if 2 * k < num_classes else int(largest / imbalance) for k in range(num_classes)]
    raise InputError(f"imbalance type {kind!r} is unknown: choose exp or step")


def _most(have: Sequence[int], imbalance: float, kind: str) -> int:
    """The most samples that class 0 can have such that no class needs more samples than it has."""

    def too_many(largest: int) -> bool:
        return any(keep > there for keep, there in zip(_counts(largest, len(have), imbalance, kind), have, strict=True))

    return max(1, bisect_right(range(1, max(have) + 1), False, key=too_many))
