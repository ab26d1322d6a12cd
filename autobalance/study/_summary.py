"""What comes of a comparison: every run, and each method's summary over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autobalance.study._cell import Result
from autobalance.study._comparison import Comparison
from autobalance.study._judge import Conditions
from autobalance.study._significance import against_best
from autobalance.tasks import Task, shot_names, summarise_figures
from autobalance.training import versions

SHOTS = ("many", "medium", "few")


def summarise(comparison: Comparison, done: Mapping[str, Result]) -> dict[str, Any]:
    """The whole result of a comparison, plain JSON values.

    Args:
        comparison: what was done.
        done: the result of every cell.

    Returns:
        facts of the problem; ``columns``, the figures of a table with their titles, ``main`` first; ``methods``: by
        name the hyper-parameters, what it decides for itself (``own``), the tuning, ``summary`` (mean and std by
        figure), ``runs`` and ``p_against_best``.
    """
    conditions = comparison.open()
    problem, task, recipe = conditions.setting.problem, conditions.task, conditions.recipe
    columns, own_head = columns_of(task), "linear" if problem.make_model is None else "own"
    methods: dict[str, dict[str, Any]] = {}
    for method in comparison.methods:
        tuned = done.get(comparison.tune_key(method))
        ready = method if tuned is None or tuned["found"] is None else method.found(tuned["found"])
        runs = [dict(done[comparison.run_key(method, seed)]) for seed in comparison.seeds]
        methods[method.name] = {
            "head": own_head if ready.head == "linear" else ready.head,
            "hyper": dict(method.hyper if tuned is None else tuned["hyper"]),
            "recipe": {"lr": recipe.lr, "weight_decay": recipe.weight_decay, **(tuned["recipe"] if tuned else {})},
            "own": ready.own,
            "search_cost": method.cost if method.prepare is not None else None,
            "tuning": tuned and {key: tuned[key] for key in ("tuned", "seconds", "trainings", "trials")},
            "summary": _summary(runs, columns, task.by_index),
            "runs": runs,
        }
    best, p_values = against_best(
        {name: [run[task.main] for run in content["runs"]] for name, content in methods.items()}
    )
    for name, p in p_values.items():
        methods[name]["p_against_best"] = p
    counts = task.counts(problem.final_training)
    return {
        "data": problem.name,
        "model": conditions.setting.model_name,
        "seeds": list(comparison.seeds),
        "main": task.main,
        "tie": task.tie,
        "columns": columns,
        "index": task.index,
        "by_index": task.by_index,
        "class_names": index_names(conditions),
        "class_counts": counts.flatten().tolist(),
        "shots": shot_names(counts, task.shots),
        "num_train": len(problem.train),
        "num_validation": len(problem.validation),
        "num_final_training": len(problem.final_training),
        "num_test": len(problem.test),
        "best": best,
        "methods": methods,
        "versions": versions(),
    }


def columns_of(task: Task) -> dict[str, str]:
    """The figures of a table by key, with their titles: the metrics that tables show (of numbers: all), then the
    shots."""
    of_bins = task.problem.bin_edges is not None
    shown = {metric.key: metric.title for metric in task.metrics if of_bins or metric.column}
    return shown | {shot: f"{shot}-shot" + (" MAE" if of_bins else "") for shot in SHOTS}


def index_names(conditions: Conditions) -> list[str]:
    """Classes, cells ("class, group") or bins, in the order of the figures of each."""
    problem = conditions.setting.problem
    if not problem.num_groups:
        return list(problem.class_names)
    return [f"{name}, {group}" for name in problem.class_names for group in problem.group_names or ()]


def flat(values: Sequence[Any]) -> list[Any]:
    """A list of numbers, or of lists of them, as one list of numbers."""
    return [each for value in values for each in (flat(value) if isinstance(value, list) else [value])]


def _summary(runs: Sequence[Result], columns: Mapping[str, str], by_index: str) -> dict[str, Any]:
    """Mean and standard deviation over the seeds, by figure."""
    names = [*columns, "seconds", "memory_mb"]
    by_place = zip(*(flat(run[by_index]) for run in runs), strict=True)
    return {
        **{name: mean_and_std([figure_of(run, name) for run in runs]) for name in names},
        by_index: [mean_and_std(values) for values in by_place],
        "diverged": sum(run["diverged"] for run in runs),
    }


def figure_of(run: Result, name: str) -> float | None:
    """A figure of a run by its column."""
    if name not in SHOTS:
        value: float | None = run[name]
        return value
    its = run["shots"][name]
    return its["error"] if "error" in its else its["mae"]


def mean_and_std(values: Sequence[float | None]) -> dict[str, float | None]:
    """``mean`` and ``std`` (of a sample, None for fewer than two), both None where a value is missing."""
    if not values:
        return {"mean": None, "std": None}
    found = summarise_figures([{"figure": value} for value in values])
    return {"mean": found["figure"], "std": found["figure_std"]}
