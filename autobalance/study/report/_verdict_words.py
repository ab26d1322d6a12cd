"""The sentences of the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autobalance.common import significant
from autobalance.study.report._difference import Difference
from autobalance.study.report._markdown import plural
from autobalance.study.report._ranking import Ranking, as_float
from autobalance.study.report._scores import Score
from autobalance.study.report._sentences import chosen
from autobalance.study.report._who_pays import Change
from autobalance.study.report._words import spread

#: So many classes that gain, and as many that pay, are named.
NAMED = 3


def headline(result: dict[str, Any], by: Ranking, rows: Sequence[Score], digits: int) -> str:
    """``Worst-class error: 60.7 % with cross-entropy, 44.0 ± 2.0 % with your loss.`` Where the objective has
    constraints it is the main objective."""
    within = by.beside.key == "main_objective"
    shown = by.beside if within else by.main
    digits = digits if shown.unit == " %" else shown.digits or 0
    told = []
    for row in rows:
        mean, std = (row.beside, row.beside_std) if within else (row.mean, row.std)
        figure = f"{spread(mean, std, digits)}{shown.unit}".replace(" ", "\u00a0")
        told.append(f"{figure} with {called(result, row)}")
    title = shown.title if shown.title == result.get("objective") else capital(shown.title)
    return f"{title}: {', '.join(told)}."


def bounds(result: dict[str, Any], rows: Sequence[Score]) -> list[str]:
    """``recall(rare)>=0.8: 0.62 with cross-entropy (missed), 0.83 with your loss (met).`` for each constraint."""
    told: dict[str, list[str]] = {}
    for row in rows:
        for text, stands in (result["test"][row.method].get("constraints") or {}).items():
            value = significant(as_float(stands.get("value")), 3)
            told.setdefault(text, []).append(f"{value} with {called(result, row)} ({_met(stands)})")
    return [f"{text}: {', '.join(each)}." for text, each in told.items()]


def _met(stands: Mapping[str, Any]) -> str:
    """Whether a constraint is met, with all seeds, some or none."""
    by_seed = [as_float(value) <= 0 for value in stands.get("violation_by_seed") or [stands.get("violation")]]
    if all(by_seed) or not any(by_seed):
        return "met" if by_seed[0] else "missed"
    return f"met with {sum(by_seed)} of {len(by_seed)} seeds"


def called(result: dict[str, Any], row: Score) -> str:
    """A method within a sentence, which breaks no line in a formula: the searched loss is yours unless a fixed one was
    chosen."""
    taken, name = chosen(result), row.words.replace(" = ", "\u00a0=\u00a0")
    if row.method == "searched":
        return name.replace("searched loss", "your loss" if taken in (None, "searched") else "the searched loss")
    return f"the chosen {name}" if row.method == taken else name


def sure(subject: str, by: Ranking, apart: Difference, searched: Score, fixed: Score) -> str:
    """How far the searched loss is from the best fixed one, and how sure that is."""
    step = by.main.step
    side = f"{_size(apart.value)}{step} {_side(apart.value)}" if apart.value else "no different from"
    told = f"{subject} is {side} the best fixed loss, {fixed.words}"
    if by.beside.key == "main_objective":
        told = f"Counting ten points for each point by which a constraint is missed, {told[:1].lower()}{told[1:]}"
    if apart.by is None or apart.low is None or apart.high is None:
        return f"{told}. {plural(searched.seeds, 'seed')} cannot tell the losses apart: there is no spread to judge by."
    if apart.by == "test samples":
        near, far = sorted((apart.low, apart.high), key=abs)
        within = f"from {_size(near)} to {_size(far)}{step} {_side(far)}"
        if apart.kind == "same":
            within = f"from {_size(apart.low)}{step} below to {_size(apart.high)} above"
        return (
            f"{told}. The 95\u00a0% interval is {within}, by the bootstrap of the {apart.number} test samples, since "
            "there is one seed; it holds the chance in these samples, not in the training."
        )
    seeds = plural(searched.seeds, "seed")
    if searched.seeds != fixed.seeds:
        seeds += f" of the searched and {fixed.seeds} of the fixed loss"
    limit = f"the combined standard deviation of {_size(apart.high - apart.value)}{step} over {seeds}"
    if apart.kind == "same":
        return f"{told}: within {limit}."
    if apart.better is None:
        return f"{told}: more than {limit}."
    of_them = "none" if apart.better == 0 else "all" if apart.better == apart.number else f"{apart.better:.0f}"
    return f"{told}: more than {limit}, and lower with {of_them} of them."


def _size(value: float) -> str:
    return significant(abs(value), 2)


def _side(value: float) -> str:
    return "below" if value < 0 else "above"


def costs(by: Ranking, searched: Score, fixed: Score) -> str:
    """What becomes of the figure beside the objective."""
    change, title = searched.beside - fixed.beside, by.beside.title
    if not math.isfinite(change):
        return ""
    size = _size(change)
    if float(size) == 0:
        return f"{capital(title)} stays as it is."
    combined = math.hypot(searched.beside_std, fixed.beside_std)
    within = ", within its spread" if math.isfinite(combined) and abs(change) <= combined else ""
    if change > 0:
        return f"It costs {size}{by.beside.step} of {title}{within}."
    return f"{capital(title)} falls by {size}{by.beside.step}{within}."


def who_pays(by: Ranking, moved: Sequence[Change] | None) -> str:
    """Who gains and who pays, by name."""
    if moved is None:
        return ""
    one, many = ("bin", "Bins") if by.index == "bin" else ("class", "Classes")
    if not moved:
        return f"No {one} changes by more than its spread."
    sides = {
        "gain": [each for each in moved if each.points < 0],
        "pay": [each for each in reversed(moved) if each.points > 0],
    }
    return " ".join(f"{many} that {side}: {_listed(each, by)}." for side, each in sides.items() if each)


def _listed(moved: Sequence[Change], by: Ranking) -> str:
    """``8 (-22.5 points), 9 (-10.1) and 2 more``."""
    unit = "" if by.index == "bin" else " points"
    named = []
    for place, change in enumerate(moved[:NAMED]):
        sign = "-" if change.points < 0 else "+"
        named.append(f"{change.name} ({sign}{_size(change.points)}{unit if place == 0 else ''})")
    more = len(moved) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
