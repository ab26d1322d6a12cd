"""The page of the comparison: what each way does on each problem, against the best rival and against group-LA."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from autobalance.study import corrected
from autobalance.study.report import markdown_table
from experiments.evidence._statistics import corrected_p
from experiments.groups._cells import OURS, PLAIN, SEARCHED_FOR, key
from experiments.suite._plan import Entry

LEVEL = 0.05
#: Of the guard.
CONFIDENCES = (0, 0.5, 0.7, 0.84, 0.95, 0.99)
#: Shares of cross-entropy's figures that a way's are compared with.
HALVED = {"deo": 0.5, "balanced_error": 1.0}
BEST, UNGUARDED = "best rival", ", unguarded"
#: By way the figures of the splits, by objective.
Figures = Mapping[str, Sequence[Mapping[str, float]]]


def page(entries: Sequence[Entry], splits: range, done: Mapping[str, Any]) -> str:
    """The page as Markdown, of the splits of each problem whose cells are all there."""
    parts = []
    for objective in SEARCHED_FOR:
        found = {entry.name: figures(entry, splits, done, objective) for entry in entries}
        found = {name: ways for name, ways in found.items() if ways}
        if found:
            numbers = sorted({len(ways[PLAIN]) for ways in found.values()})
            said = f"Means over {' to '.join(map(str, numbers))} splits, percent. {len(found)} problems.\n"
            parts += [f"## {objective}\n", said, _table(found, objective), _summary(found, objective)]
            parts += [_guard(entries, splits, done, objective)]
            if "deo" in objective:
                parts += [_halved(found)]
    parts += ["## Cost, in plain trainings by the clock\n", _costs(entries, splits, done)]
    return "\n".join(parts)


def figures(
    entry: Entry, splits: range, done: Mapping[str, Any], objective: str
) -> dict[str, list[Mapping[str, float]]]:
    """What every way's models do on the judging samples of the complete splits, each way with the candidate whose
    held-out samples are best by the objective; `BEST` is the best candidate of all rivals by the same."""
    ways: dict[str, list[Mapping[str, float]]] = {}
    for split in splits:
        rivals = done.get(key(entry, split, "rivals"))
        searched = done.get(key(entry, split, f"{OURS}-{objective}"))
        if rivals is None or searched is None:
            continue
        chosen = {name: chosen_of(its, objective) for name, its in rivals["rivals"].items()}
        for name, its in chosen.items():
            ways.setdefault(name, []).append(its["test"])
        ways.setdefault(f"{PLAIN}, untuned", []).append(next(iter(rivals["rivals"][PLAIN].values()))["test"])
        best = min(chosen.values(), key=lambda its: its["held"][objective])
        ways.setdefault(BEST, []).append(best["test"])
        ways.setdefault(OURS, []).append(searched["test"])
        ways.setdefault(OURS + UNGUARDED, []).append(searched["unguarded"])
    return ways


def chosen_of(candidates: Mapping[str, Any], objective: str) -> Mapping[str, Any]:
    """The candidate of a rival whose held-out samples are best; offsets are found for each objective."""
    fitting = [its for its in candidates.values() if its.get("only", objective) == objective]
    return min(fitting, key=lambda its: its["held"][objective])


def _mean(its: Sequence[Mapping[str, float]], objective: str) -> float:
    return statistics.fmean(each[objective] for each in its)


def _table(found: Mapping[str, Figures], objective: str) -> str:
    names = list(dict.fromkeys(name for ways in found.values() for name in ways))
    rows = [
        {"way": name}
        | {problem: f"{_mean(ways[name], objective):.1f}" if name in ways else "" for problem, ways in found.items()}
        for name in names
    ]
    return markdown_table(rows) + "\n"


def _summary(found: Mapping[str, Figures], objective: str) -> str:
    """Each search against the best rival and against group-LA as published."""
    rows = []
    names = list(dict.fromkeys(name for ways in found.values() for name in ways))
    for rival in (BEST, f"{PLAIN}, untuned"):
        for name in names:
            if name == rival or any(name not in ways for ways in found.values()):
                continue
            differences = {
                problem: [a[objective] - b[objective] for a, b in zip(ways[name], ways[rival], strict=True)]
                for problem, ways in found.items()
            }
            means = [statistics.fmean(its) for its in differences.values()]
            tested = corrected({problem: corrected_p(its, 0.25) for problem, its in differences.items()})
            signs = [
                (statistics.fmean(differences[problem]) < 0) for problem, p in tested.items() if (p or 1.0) < LEVEL
            ]
            spread = statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else 0.0
            rows.append(
                {
                    "way": name,
                    "against": rival,
                    "difference in points": f"{statistics.fmean(means):+.2f} ± {spread:.2f}",
                    "lower / higher on": f"{sum(m < 0 for m in means)} / {sum(m > 0 for m in means)} of {len(means)}",
                    "significantly": f"{sum(signs)} / {len(signs) - sum(signs)}",
                    "highest": f"{max(means):+.1f}",
                }
            )
    return markdown_table(rows) + "\n"


def _guard(entries: Sequence[Entry], splits: range, done: Mapping[str, Any], objective: str) -> str:
    """What is handed out from a confidence on: the change against the start, over problems, and how often."""
    changes: dict[float, list[float]] = {needed: [] for needed in CONFIDENCES}
    handed: dict[float, list[bool]] = {needed: [] for needed in CONFIDENCES}
    for entry in entries:
        pairs = [
            (its, next(iter(rivals["rivals"][PLAIN].values()))["test"])
            for split in splits
            if (its := done.get(key(entry, split, f"{OURS}-{objective}"))) is not None
            and (rivals := done.get(key(entry, split, "rivals"))) is not None
        ]
        for needed in CONFIDENCES if pairs else ():
            taken = [its["confidence"] >= needed for its, _ in pairs]
            gains = [its["unguarded"][objective] - start[objective] for its, start in pairs]
            handed[needed] += taken
            changes[needed].append(statistics.fmean(g if t else 0.0 for g, t in zip(gains, taken, strict=True)))
    rows = []
    for needed, its in changes.items():
        spread = statistics.stdev(its) / len(its) ** 0.5 if len(its) > 1 else 0.0
        rows.append(
            {
                "from a confidence of": f"{needed:g}",
                "change in points": f"{statistics.fmean(its):+.1f} ± {spread:.1f}",
                "highest": f"{max(its):+.1f}",
                "handed out": f"{statistics.fmean(handed[needed]):.0%}",
            }
        )
    return f"Handed out from a confidence on, else {PLAIN}:\n\n{markdown_table(rows)}\n"


def _halved(found: Mapping[str, Figures]) -> str:
    """On which problems a way has under half of cross-entropy's DEO at no more than a point of balanced error."""
    reached: dict[str, list[str]] = {}
    for problem, ways in found.items():
        for name, its in ways.items():
            gap, error = (_mean(its, text) - share * _mean(ways["ce"], text) for text, share in HALVED.items())
            reached.setdefault(name, []).extend([problem] if gap < 0 and error <= 1.0 else [])
    rows = [{"way": name, "on": f"{len(its)} of {len(found)}: {', '.join(its)}"} for name, its in reached.items()]
    return f"Under half of cross-entropy's DEO, at most a point more balanced error:\n\n{markdown_table(rows)}\n"


def _costs(entries: Sequence[Entry], splits: range, done: Mapping[str, Any]) -> str:
    costs: dict[str, list[float]] = {}
    handed: dict[str, list[bool]] = {}
    for entry in entries:
        for split in splits:
            if (rivals := done.get(key(entry, split, "rivals"))) is not None:
                total = sum(its["seconds"] for way in rivals["rivals"].values() for its in way.values())
                costs.setdefault(f"{BEST} (all candidates)", []).append(total / rivals["plain_seconds"])
            for objective in SEARCHED_FOR:
                if (its := done.get(key(entry, split, f"{OURS}-{objective}"))) is not None:
                    costs.setdefault(OURS, []).append(its["cost"])
                    handed.setdefault(OURS, []).append(its["searched"])
    rows = [
        {
            "way": name,
            "median": f"{statistics.median(its):.1f}",
            "largest": f"{max(its):.1f}",
            "handed out": f"{statistics.fmean(handed[name]):.0%}" if name in handed else "",
        }
        for name, its in costs.items()
    ]
    return markdown_table(rows) + "\n"
