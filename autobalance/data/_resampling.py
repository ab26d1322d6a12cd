"""Samples drawn anew, for the chance that lies in which samples there happen to be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


def resamplings(strata: np.ndarray, seed: int, draws: int) -> Iterator[Tensor]:
    """Positions of samples, (N,) for each draw: with replacement, among those of the same stratum, so that every class
    keeps its number (Efron & Tibshirani 1993, section 8.3).

    Args:
        strata: (N,), each sample's, from 0 on.
        seed: the same gives the same draws, so that what is computed on them can be paired.
        draws: how many.
    """
    generator = np.random.default_rng(seed)
    order, counts = np.argsort(strata, kind="stable"), np.bincount(strata)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    sizes = np.repeat(counts, counts)
    for _ in range(draws):
        yield torch.from_numpy(order[begins + (generator.random(len(order)) * sizes).astype(np.int64)])
