"""How the searched loss compares with the best fixed one, in one honest sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autobalance.report._markdown import plural
from autobalance.report._ranking import Ranking, ranking
from autobalance.report._scores import Score, best_fixed, scores
from autobalance.report._words import number, spread


@dataclass(frozen=True)
class Verdict:
    """What came out. ``kind``: better, same, worse, undecided (no spread) or alone (nothing to compare)."""

    kind: str
    badge: str
    sentence: str


def verdict(result: dict[str, Any]) -> Verdict:
    """The searched loss against the best fixed loss of the run.

    A difference counts only where it is larger than the combined standard deviation, the root of the sum of the two
    variances; without a spread (one seed) nothing is called better or worse.
    """
    rows = scores(result)
    searched, fixed = next((row for row in rows if row.method == "searched"), None), best_fixed(rows)
    by = ranking(result)
    if searched is not None and fixed is not None:
        return _compare(searched, fixed, by)
    only = rows[0]
    why = "no fixed loss was run to compare it with" if fixed is None else "no searched loss is in this result"
    sentence = f"The {only.words} has a {by.words} of {_value(only, by)} over {plural(only.seeds, 'seed')}; {why}."
    return Verdict("alone", "Nothing to compare", sentence)


def _compare(searched: Score, fixed: Score, by: Ranking) -> Verdict:
    difference, combined = searched.mean - fixed.mean, math.hypot(searched.std, fixed.std)
    apart, margin = (number(abs(value), by.main.digits) for value in (difference, combined))
    side = f"{apart}{by.main.step} {'lower' if difference < 0 else 'higher'}"
    if apart == number(0.0, by.main.digits):
        side = "equal to the digits shown"
    both = (
        f"a {by.words} of {_value(searched, by)} against {_value(fixed, by)} for the best fixed loss, "
        f"{fixed.words}; {side}"
    )
    seeds = _seeds(searched, fixed)
    if not math.isfinite(combined):
        sentence = (
            f"{seeds} cannot tell the losses apart: the {searched.words} has {both}, with no spread to judge it by."
        )
        return Verdict("undecided", "Undecided", sentence)
    limit = f"the combined standard deviation of {margin}{by.main.step} (mean ± standard deviation over {seeds})"
    if abs(difference) <= combined:
        sentence = f"The {searched.words} is no different within the spread: {both}, within {limit}."
        return Verdict("same", "No difference beyond the spread", sentence)
    kind = "better" if difference < 0 else "worse"
    sentence = f"The {searched.words} is {kind} than the best fixed loss here: {both}, more than {limit}."
    return Verdict(kind, kind.capitalize(), sentence)


def _value(score: Score, by: Ranking) -> str:
    """Mean, spread and unit, which stay on one line."""
    return f"{spread(score.mean, score.std, by.main.digits)}{by.main.unit}".replace(" ", "\u00a0")


def _seeds(searched: Score, fixed: Score) -> str:
    if searched.seeds == fixed.seeds:
        return plural(searched.seeds, "seed")
    return f"{plural(searched.seeds, 'seed')} of the searched and {fixed.seeds} of the fixed loss"
