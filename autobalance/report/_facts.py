"""What came out, in numbers and in one honest sentence. Plain Python; no plots, no page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from autobalance.common import InputError, decimals, significant
from autobalance.losses.named import named_losses
from autobalance.tasks.metrics import Context, Metric, metric_named
from autobalance.tasks.objectives import Blend, Constrained, Objective, make_objective

#: Methods that are no fixed losses.
_OTHERS = {"searched": "searched loss", "ce+augment": "cross-entropy, same augmentation"}


@dataclass(frozen=True)
class Measure:
    """What the methods are ranked by, and what is shown beside it.

    Args:
        key, other: of the two figures in ``test.<method>``.
        heading, other_heading: of their columns.
        words: the first in a sentence, without article.
        digits, other_digits: decimals of the two.
        unit: behind a value.
        step: behind a difference.
        by_class: key of the figure by class or bin.
        index: what a class is called, ``class`` or ``bin``.
        meaning: a sentence for the page.
    """

    key: str
    other: str
    heading: str
    other_heading: str
    words: str
    unit: str
    step: str
    by_class: str
    index: str
    meaning: str
    digits: int = 2
    other_digits: int = 2


def measure(result: dict[str, Any]) -> Measure:
    """What the search made small, and the usual figure beside it. What methods are ranked by is the objective's metric,
    or the objective's own value where it is a sum, has constraints or is a function of one's own; the usual figure
    where a result has neither."""
    usual, beside = _usual(result)
    made = _objective(result)
    if isinstance(made, Blend) and len(made.parts) == 1 and made.parts[0].weight == 1:
        metric = made.parts[0].metric
        if _has(result, metric.key):
            return _measure(result, metric, beside if metric is usual else usual)
    if not _has(result, "objective"):
        return _measure(result, usual, beside)
    text, percent = str(result.get("objective")), made is not None and usual.needs != "bins"
    what = "your own objective" if made is None else "the objective"
    penalised = (
        ", with ten times by how much its constraints are violated added" if isinstance(made, Constrained) else ""
    )
    title = "objective with penalties" if penalised else text
    value = Metric(
        "objective",
        title,
        f"{text}: {what}{penalised}, on the test samples. {usual.meaning}",
        usual.exact,
        needs=usual.needs,
        unit=" %" if percent else "",
        step=" points" if percent else "",
        digits=2 if percent else None,
    )
    return replace(_measure(result, value, usual), words=f"test value of {'the ' * bool(penalised)}{title}")


def constraint_sentences(result: dict[str, Any]) -> list[str]:
    """Of each constraint of the objective, which methods' models meet it on the test samples, and how the others fall
    short; nothing where there are none."""
    test = result.get("test") or {}
    found: dict[str, list[str]] = {}
    for method, entry in test.items():
        for text, figures in (entry.get("constraints") or {}).items():
            met = as_float(figures.get("violation")) <= 0
            said = f"{words(method)} {significant(as_float(figures.get('value')), 3)}{' (met)' if met else ''}"
            found.setdefault(text, []).append(said)
    return [f"Constraint {text}, mean over the seeds: {', '.join(said)}." for text, said in found.items()]


def _objective(result: dict[str, Any]) -> Objective | None:
    """The objective as the search had it; None for a function of one's own and for what cannot be read any more."""
    text, regression = str(result.get("objective")), result.get("task") == "regression"
    names, groups = (tuple(map(str, result.get(f"{name}_names") or ())) for name in ("class", "group"))
    context = Context(
        len(names),
        max(1, len(groups)),  # so that metrics of groups can be read
        names,
        groups,
        bin_edges=torch.tensor(result.get("bin_edges") or [0.0, 1.0], dtype=torch.float64) if regression else None,
    )
    try:
        return None if ":" in text else make_objective(text, context)
    except InputError:
        return None


def _usual(result: dict[str, Any]) -> tuple[Metric, Metric]:
    """What methods are ranked by where nothing else is said, and what stands beside it."""
    first = ("balanced_mae", "mae") if result.get("task") == "regression" else ("balanced_error", "error")
    main, other = map(metric_named, first)
    return main, other


def _has(result: dict[str, Any], key: str) -> bool:
    """Whether there is a figure of every method."""
    test = result.get("test") or {}
    return bool(test) and all(math.isfinite(as_float(entry.get(key))) for entry in test.values())


def _measure(result: dict[str, Any], metric: Metric, other: Metric) -> Measure:
    bins = metric.needs == "bins"
    return Measure(
        key=metric.key,
        other=other.key,
        heading=metric.heading,
        other_heading=other.heading,
        words=_words(metric),
        unit=metric.unit,
        step=metric.step,
        by_class="bin_mae" if bins else "class_error",
        index="bin" if bins else "class",
        meaning=metric.meaning,
        digits=digits(result, metric),
        other_digits=digits(result, other),
    )


def _words(metric: Metric) -> str:
    """The title within a sentence about test samples, without article."""
    if metric.needs == "bins" or not metric.title.endswith("error"):
        return f"test {metric.title}" if metric.needs == "bins" else f"{metric.title} on test"
    return f"{metric.title.removesuffix('error')}test error"


def digits(result: dict[str, Any], metric: Metric) -> int:
    """Decimals of a figure: the metric's own, or what shows four significant digits in the unit of the target, whatever
    that is."""
    if metric.digits is not None:
        return metric.digits
    test = result.get("test")
    values = [as_float(entry.get(metric.key)) for entry in test.values()] if isinstance(test, dict) else []
    return decimals(max((value for value in values if math.isfinite(value)), default=0.0), 4)


@dataclass(frozen=True)
class Score:
    """A method's test result: mean and standard deviation over its seeds of what it is ranked by, and of the other
    figure (``error``); NaN where not known."""

    method: str
    words: str
    mean: float
    std: float
    error: float
    error_std: float
    seeds: int
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """What came out. ``kind``: better, same, worse, undecided (no spread) or alone (nothing to compare)."""

    kind: str
    badge: str
    sentence: str


def as_float(value: Any) -> float:
    """A number as float; NaN for None or what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def number(value: float, digits: int = 2) -> str:
    """Fixed decimals; a dash for NaN."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def spread(mean: float, std: float, digits: int = 2) -> str:
    """``8.10 ± 0.30``, or the mean alone where there is no spread."""
    return f"{number(mean, digits)} ± {number(std, digits)}" if math.isfinite(std) else number(mean, digits)


def words(method: str) -> str:
    """A method's name for people; unknown ones as they are."""
    if method.endswith("+rates"):
        return f"{words(method.removesuffix('+rates'))}, with the rates found"
    titles = {name: loss.title for name, loss in named_losses().items()}
    return {**titles, **_OTHERS}.get(method, method)


def _score(method: str, test: dict[str, Any], run_seeds: int, what: Measure) -> Score:
    mean = as_float(test.get(what.key))
    if not math.isfinite(mean):
        raise InputError(f"result.json: test.{method}.{what.key} is {test.get(what.key)!r}, not a number")
    by_seed = tuple(map(as_float, test.get(f"{what.key}_by_seed") or ()))
    seeds = len(by_seed) or run_seeds
    std, error_std = (as_float(test.get(f"{key}_std")) if seeds > 1 else math.nan for key in (what.key, what.other))
    return Score(method, words(method), mean, std, as_float(test.get(what.other)), error_std, seeds, by_seed)


def scores(result: dict[str, Any]) -> list[Score]:
    """The scores of all methods of a run, the lowest first."""
    test = result.get("test")
    if not isinstance(test, dict) or not test:
        raise InputError('result.json: "test" holds no method')
    run_seeds = len(result.get("seeds") or [0])
    what = measure(result)
    rows = [_score(method, entry, run_seeds, what) for method, entry in test.items()]
    if "augment" in ((result.get("search") or {}).get("free") or ()):
        rows = [
            replace(row, words="searched loss with its augmentation") if row.method == "searched" else row
            for row in rows
        ]
    return sorted(rows, key=lambda score: score.mean)


def best_scores(rows: Sequence[Score]) -> list[Score]:
    """The rows with the lowest mean: more than one only where they tie."""
    return [row for row in rows if row.mean == min(other.mean for other in rows)]


def best_fixed(rows: Sequence[Score]) -> Score | None:
    """The fixed loss with the lowest mean, if any was run."""
    fixed = (row for row in rows if row.method != "searched" and not row.method.endswith("+augment"))
    return min(fixed, key=lambda row: row.mean, default=None)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _seeds(searched: Score, fixed: Score) -> str:
    if searched.seeds == fixed.seeds:
        return _plural(searched.seeds, "seed")
    return f"{_plural(searched.seeds, 'seed')} of the searched and {fixed.seeds} of the fixed loss"


def verdict(result: dict[str, Any]) -> Verdict:
    """The searched loss against the best fixed loss of the run.

    A difference counts only where it is larger than the combined standard deviation, the root of the sum of the two
    variances; without a spread (one seed) nothing is called better or worse.
    """
    rows = scores(result)
    searched, what_for = next((row for row in rows if row.method == "searched"), None), measure(result)
    fixed = best_fixed(rows)
    if searched is None or fixed is None:
        only = rows[0]
        what = "no fixed loss was run to compare it with" if fixed is None else "no searched loss is in this result"
        value = spread(only.mean, only.std, what_for.digits) + what_for.unit.replace(" ", "\u00a0")
        sentence = f"The {only.words} has a {what_for.words} of {value} "
        return Verdict("alone", "Nothing to compare", f"{sentence}over {_plural(only.seeds, 'seed')}; {what}.")
    return _compare(searched, fixed, what_for)


def _compare(searched: Score, fixed: Score, what: Measure) -> Verdict:
    difference = searched.mean - fixed.mean
    combined = math.hypot(searched.std, fixed.std)
    side = f"{number(abs(difference), what.digits)}{what.step} {'lower' if difference < 0 else 'higher'}"
    if number(abs(difference), what.digits) == number(0.0, what.digits):
        side = "equal to the digits that are shown"
    ours, theirs = (
        f"{spread(score.mean, score.std, what.digits)}{what.unit}".replace(" ", "\u00a0") for score in (searched, fixed)
    )
    both = f"a {what.words} of {ours} against {theirs} for the best fixed loss, {fixed.words}; {side}"
    seeds = _seeds(searched, fixed)
    if not math.isfinite(combined):
        sentence = (
            f"{seeds} cannot tell the losses apart: the {searched.words} has {both}, with no spread to judge that by."
        )
        return Verdict("undecided", "Undecided", sentence)
    apart = f"{number(combined, what.digits)}{what.step}"
    margin = f"the combined standard deviation of {apart} (mean ± standard deviation over {seeds})"
    if abs(difference) <= combined:
        sentence = f"The {searched.words} is no different within the spread: {both}, within {margin}."
        return Verdict("same", "No difference beyond the spread", sentence)
    kind = "better" if difference < 0 else "worse"
    sentence = f"The {searched.words} is {kind} than the best fixed loss here: {both}, more than {margin}."
    return Verdict(kind, kind.capitalize(), sentence)


def choice_sentence(result: dict[str, Any]) -> str:
    """What the run chose on held-out samples and how sure that is; empty where no choice was made."""
    if result.get("confidence") is None:
        return ""
    objective, unit = str(result.get("objective", "")), ""
    if ":" not in objective and result.get("task") != "regression":
        unit = " points"
    margin, low, high = (significant(value, 2) for value in (result["margin"], *result["interval"]))
    needed = f", needed {result['confidence_needed']:g}" if "confidence_needed" in result else ""
    measured = f" of {objective.replace('_', ' ') if ':' not in objective else objective}" if objective else ""
    beside = (
        f"confidence {result['confidence']:.3g}{needed}; margin {margin}{unit}{measured}, "
        f"from {low} to {high} with 95\u00a0%"
    )
    if result["chosen"] == "searched":
        return f"Chosen: the searched loss. On held-out samples it beats {words(result['best_fixed'])} ({beside})."
    return (
        f"Chosen: {words(result['chosen'])}, a fixed loss. On held-out samples the searched loss does not beat it "
        f"with enough confidence ({beside})."
    )


def found_rates(result: dict[str, Any]) -> str:
    """The rates of the training that were found; empty where none was searched."""
    rates = (result.get("search") or {}).get("rates") or {}
    return ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in rates.items())


def chosen(result: dict[str, Any]) -> str | None:
    """The method that the run chose and handed out; None where no choice was made."""
    return None if result.get("confidence") is None else str(result["chosen"])
