"""Means and standard deviations over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def summarise_figures(tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the tests of several seeds come to; every test has the same figures.

    Args:
        tests: figures by name: numbers or None where a figure is not known; lists of them, nested or not; tables of
            figures by name; and counts (int), which are the same in all tests.

    Returns:
        for a number ``name``, its mean, ``name_std``, its standard deviation (None of a single seed), and
        ``name_by_seed``; for a list the first two, number by number; a table's figures in the same way; a count as it
        is. What is not known of one seed is not known of all.
    """
    found: dict[str, Any] = {}
    for name, first in tests[0].items():
        values = [test[name] for test in tests]
        if isinstance(first, Mapping):
            found[name] = summarise_figures(values)
        elif isinstance(first, int):
            found[name] = first
        elif isinstance(first, Sequence):
            found |= {name: _over_seeds(_mean, values), f"{name}_std": _over_seeds(_std, values)}
        else:
            found |= {name: _mean(values), f"{name}_std": _std(values), f"{name}_by_seed": values}
    return found


def _over_seeds(of: Any, values: Sequence[Any]) -> Any:
    """``of`` the values of each place, in lists of their shape."""
    if isinstance(values[0], Sequence):
        return [_over_seeds(of, column) for column in zip(*values, strict=True)]
    return of(values)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _std(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) == len(values) > 1 else None
