"""What ``results.json`` holds: every run, and each method's summary over its seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from autobalance.tasks import task_of
from autobalance.training import versions
from experiments.grid import Grid
from experiments.significance import against_best
from experiments.yardsticks import Yardstick, yardstick_name


def summarise(grid: Grid, done: dict[str, Any]) -> dict[str, Any]:
    """The whole result of a comparison, plain JSON values.

    Args:
        grid: what was done.
        done: the result of every piece.
    """
    options, problem = grid.options, grid.task.problem
    counts = task_of(problem).counts(problem.final_training).flatten().tolist()
    shots = [shot_of(count, options.many, options.few) for count in counts]
    own_head = "linear" if problem.make_model is None else "own"
    methods: dict[str, dict[str, Any]] = {}
    for method in grid.methods:
        tuned = done.get(f"tune/{method.name}")
        runs = [done[f"run/{method.name}/{seed}"] for seed in grid.seeds]
        methods[method.name] = {
            "head": own_head if method.head == "linear" else method.head,
            "hyper": _shown(method.defaults if tuned is None else tuned["hyper"]),
            "recipe": {"lr": options.lr, "weight_decay": options.weight_decay, **(tuned["recipe"] if tuned else {})},
            "tuning": None
            if tuned is None
            else {key: tuned[key] for key in ("tuned", "seconds", "trainings", "trials")},
            "summary": _summary(runs, shots, grid.yardstick),
            "runs": runs,
        }
    best, p_values = against_best(
        {name: [run[grid.yardstick.main] for run in content["runs"]] for name, content in methods.items()}
    )
    for name, p in p_values.items():
        methods[name]["p_against_best"] = p
    return {
        "data": problem.name,
        "yardstick": yardstick_name(problem),
        "model": grid.task.model_name,
        "options": grid.options.identity(),
        "seeds": grid.seeds,
        "class_names": grid.yardstick.index_names(problem),
        "class_counts": counts,
        "shots": shots,
        "num_train": len(problem.train),
        "num_validation": len(problem.validation),
        "num_final_training": len(problem.final_training),
        "num_test": len(problem.test),
        "best": best,
        "methods": methods,
        "versions": versions(),
    }


def shot_of(count: int, many: int, few: int) -> str:
    """ "many" above ``many`` training samples, "few" below ``few``, else "medium" (Liu et al. 2019)."""
    return "many" if count > many else "few" if count < few else "medium"


def _summary(runs: list[dict[str, Any]], shots: list[str], yardstick: Yardstick) -> dict[str, Any]:
    """Mean and standard deviation over the seeds, by figure."""
    columns: dict[str, list[float | None]] = {
        name: [yardstick.column(run, name, shots) for run in runs] for name in yardstick.columns
    }
    columns |= {name: [run[name] for run in runs] for name in ("seconds", "memory_mb")}
    by_class = list(zip(*(run[yardstick.by_class] for run in runs), strict=True))
    return {
        **{name: mean_and_std(values) for name, values in columns.items()},
        yardstick.by_class: [mean_and_std(values) for values in by_class],
        "diverged": sum(run["diverged"] for run in runs),
    }


def mean_and_std(values: Sequence[float | None]) -> dict[str, float | None]:
    """``mean`` and ``std`` (of a sample, None for fewer than two), both None where a value is missing."""
    there = [value for value in values if value is not None]
    if len(there) < len(values) or not there:
        return {"mean": None, "std": None}
    return {"mean": statistics.fmean(there), "std": statistics.stdev(there) if len(there) > 1 else None}


def _shown(hyper: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hyper.items() if name != "loss"}
