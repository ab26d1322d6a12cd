"""What the runs say: means, ranks, paired tests against one method, and the bars that a search has to clear."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autobalance.study import (
    average_ranks,
    corrected,
    critical_difference,
    friedman_p,
    mean_and_std,
    paired_p,
    wilcoxon_p,
)

#: By problem, method and seed, the record of a run.
Results = Mapping[str, Mapping[str, Mapping[int, Any]]]
LEVEL = 0.05
#: What a search plus its choice may cost, in plain trainings.
DEAREST = 6.0
#: The row that is TPE on the search's own parameters: the first of these that there is.
TPE_ROWS = ("TPE, same parameters", "TPE")


def summarise(results: Results, reference: str) -> dict[str, Any]:
    """Everything that the tables say, plain values.

    Only methods that were run on every problem and only splits that every such method was run on count; a method that
    is not finished is left out and named.

    Args:
        results: what `Grid.results` gives, of problems of one kind: all with classes, or all with numbers.
        reference: the method that the others are tested against.
    """
    methods = [m for m in _all_methods(results) if all(m in of_problem for of_problem in results.values())]
    left_out = [m for m in _all_methods(results) if m not in methods]
    problems = {name: _problem(of_problem, methods, reference) for name, of_problem in results.items()}
    return {
        "reference": reference if reference in methods else None,
        "methods": methods,
        "left_out": left_out,
        "problems": problems,
        "ranks": _ranks(problems, methods),
        "costs": {m: _mean([of["methods"][m]["cost"] for of in problems.values()]) for m in methods},
        "overall": _overall(problems, methods, reference) if reference in methods else {},
    }


def _all_methods(results: Results) -> list[str]:
    every = [method for of_problem in results.values() for method in of_problem if method != "problem"]
    return list(dict.fromkeys(every))


def _problem(of_problem: Mapping[str, Mapping[int, Any]], methods: Sequence[str], reference: str) -> dict[str, Any]:
    seeds = sorted(set.intersection(*(set(of_problem[m]) for m in methods)))
    values = {m: [of_problem[m][seed]["figure"] for seed in seeds] for m in methods}
    summary: dict[str, Any] = {
        m: {
            **mean_and_std(values[m]),
            "values": values[m],
            "cost": _mean([of_problem[m][seed]["cost"] for seed in seeds]),
        }
        for m in methods
    }
    if reference in methods:
        others = [m for m in methods if m != reference]
        p_values = {m: paired_p(values[reference], values[m]) for m in others}
        adjusted = corrected(p_values)
        for m in others:
            difference = _mean(values[reference]) - _mean(values[m])
            summary[m] |= {"reference_less_this": difference, "p": p_values[m], "p_corrected": adjusted[m]}
    facts = next(iter(of_problem["problem"].values()))
    return {"facts": facts, "seeds": seeds, "methods": summary}


def _ranks(problems: Mapping[str, Any], methods: Sequence[str]) -> dict[str, Any]:
    """Average ranks of the means (ties share), and Friedman's test that all methods are alike."""
    means = np.array([[of["methods"][m]["mean"] for m in methods] for of in problems.values()])
    average, ranks = average_ranks(means)
    order = np.argsort(average, kind="stable")
    return {
        "average": {methods[i]: float(average[i]) for i in order},
        "each": {methods[i]: ranks[:, i].tolist() for i in order},
        "friedman_p": friedman_p(means),
        "critical_difference": critical_difference(len(methods), len(problems), LEVEL) if len(methods) > 1 else None,
    }


def _overall(problems: Mapping[str, Any], methods: Sequence[str], reference: str) -> dict[str, Any]:
    """The reference against each method over all problems: wins, Wilcoxon's signed-rank test, Holm's correction."""
    others = [m for m in methods if m != reference]
    found = {}
    for m in others:
        of = [problem["methods"][m] for problem in problems.values()]
        differences = [entry["reference_less_this"] for entry in of]
        sure = [entry["p_corrected"] is not None and entry["p_corrected"] < LEVEL for entry in of]
        found[m] = {
            "better": sum(d < 0 for d in differences),
            "worse": sum(d > 0 for d in differences),
            "surely_better": sum(s and d < 0 for s, d in zip(sure, differences, strict=True)),
            "surely_worse": sum(s and d > 0 for s, d in zip(sure, differences, strict=True)),
            "wilcoxon_p": wilcoxon_p(
                [tuple(of["methods"][each]["mean"] for each in (reference, m)) for of in problems.values()]
            ),
        }
    for m, p in corrected({m: entry["wilcoxon_p"] for m, entry in found.items()}).items():
        if p is not None:
            found[m]["wilcoxon_p_corrected"] = p
    return found


def bars(summary: Mapping[str, Any]) -> list[tuple[str, bool, str]]:
    """What a search has to reach: (what, whether, the figures)."""
    reference, problems = summary["reference"], summary["problems"]
    ranks, costs = summary["ranks"]["average"], summary["costs"]
    best = min(ranks, key=lambda m: ranks[m])
    fixed = [m for m in summary["methods"] if m.endswith(", tuned")]
    found = [
        ("the best average rank", best == reference, f"{ranks[reference]:.2f}; best is {best} with {ranks[best]:.2f}")
    ]
    if fixed:
        better: list[str] = []
        worse: list[str] = []
        for name, of in problems.items():
            rival = min(fixed, key=lambda m: of["methods"][m]["mean"])
            entry = of["methods"][rival]
            if entry["p"] is not None and entry["p"] < LEVEL:
                (better if entry["reference_less_this"] < 0 else worse).append(f"{name} (against {rival})")
        text = f"better: {', '.join(better) or 'none'}; worse: {', '.join(worse) or 'none'}"
        what = "significantly better than the best tuned fixed loss on three problems and worse on none"
        found.append((what, len(better) >= 3 and not worse, text))
    if tpe := [name for name in TPE_ROWS if name in summary["overall"]]:
        entry = summary["overall"][tpe[0]]
        p = entry["wilcoxon_p"]
        sure = p is not None and p < LEVEL and entry["better"] > entry["worse"]
        text = f"better on {entry['better']}, worse on {entry['worse']} of {len(problems)}; Wilcoxon p {_p(p)}"
        found.append(("better than TPE on the same parameters at equal cost", sure, text))
    what = f"search and choice cost at most {DEAREST:g} plain trainings"
    dearest = max(of["methods"][reference]["cost"] for of in problems.values())
    found.append((what, dearest <= DEAREST, f"{costs[reference]:.2f} on average, {dearest:.2f} at most"))
    return found


def _p(p: float | None) -> str:
    return "-" if p is None else f"{p:.3g}"


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)
