"""What each method of a run scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from autobalance.common import InputError
from autobalance.study.report._ranking import as_float, ranking
from autobalance.study.report._words import words


@dataclass(frozen=True)
class Score:
    """A method's test result; what is not known is NaN.

    Args:
        method, words: its name in ``result.json``, and for people.
        mean, std: of what methods are ranked by, over the seeds.
        beside, beside_std: of the figure that is shown beside it.
        seeds: how many.
        by_seed: what it is ranked by, of each seed.
    """

    method: str
    words: str
    mean: float
    std: float
    beside: float
    beside_std: float
    seeds: int
    by_seed: tuple[float, ...]


def scores(result: dict[str, Any]) -> list[Score]:
    """The scores of all methods of a run, the lowest first."""
    test = result.get("test")
    if not isinstance(test, dict) or not test:
        raise InputError('result.json: "test" holds no method')
    run_seeds = len(result.get("seeds") or [0])
    by = ranking(result)
    rows = [_score(method, entry, run_seeds, by.main.key, by.beside.key) for method, entry in test.items()]
    if "augment" in ((result.get("search") or {}).get("free") or ()):
        rows = [
            replace(row, words="searched loss with its augmentation") if row.method == "searched" else row
            for row in rows
        ]
    return sorted(rows, key=lambda score: score.mean)


def _score(method: str, test: dict[str, Any], run_seeds: int, main: str, beside: str) -> Score:
    mean = as_float(test.get(main))
    if not math.isfinite(mean):
        raise InputError(f"result.json: test.{method}.{main} is {test.get(main)!r}, not a number")
    by_seed = tuple(map(as_float, test.get(f"{main}_by_seed") or ()))
    seeds = len(by_seed) or run_seeds
    std, beside_std = (as_float(test.get(f"{key}_std")) if seeds > 1 else math.nan for key in (main, beside))
    return Score(method, words(method), mean, std, as_float(test.get(beside)), beside_std, seeds, by_seed)


def best_scores(rows: Sequence[Score]) -> list[Score]:
    """The rows with the lowest mean: more than one only where they tie."""
    return [row for row in rows if row.mean == min(other.mean for other in rows)]


def best_fixed(rows: Sequence[Score]) -> Score | None:
    """The fixed loss with the lowest mean, if any was run."""
    fixed = (row for row in rows if row.method != "searched" and not row.method.endswith("+augment"))
    return min(fixed, key=lambda row: row.mean, default=None)
