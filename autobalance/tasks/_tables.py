"""Figures of single classes, groups and cells, and of those with many, some and few training samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SHOTS = ("many", "medium", "few")


def shot_names(counts: Tensor, shots: tuple[int, int]) -> list[str]:
    """Of each class, cell or bin, (K,) or (K, G) flattened: ``many`` above the first number of training samples,
    ``few`` below the second, ``medium`` otherwise."""
    many, few = shots
    return ["many" if n > many else "few" if n < few else "medium" for n in counts.flatten().tolist()]


def mean_rates(values: Tensor, index: Tensor, number: int) -> list[float | None]:
    """The mean of (N,) values for each of the ``number`` values of ``index``; None where it does not occur."""
    counts = torch.bincount(index, minlength=number)
    sums = torch.bincount(index, weights=values.double(), minlength=number)
    return [value if n else None for value, n in zip((sums / counts).tolist(), counts.tolist(), strict=True)]


def by_shot(errors: Sequence[float | None], shots: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The mean error of the classes or cells of each shot, and how many these are; those without samples to judge them
    are left out."""
    known = {
        shot: [error for error, its in zip(errors, shots, strict=True) if its == shot and error is not None]
        for shot in SHOTS
    }
    return {
        shot: {"error": statistics.fmean(found) if found else None, "number": len(found)}
        for shot, found in known.items()
    }
