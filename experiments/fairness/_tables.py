"""``results.json`` and ``table.md`` of the trade-off between error and fairness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from autobalance.study import Conditions, mean_and_std
from autobalance.study.report import markdown_table, spread_text
from autobalance.training import versions
from experiments.fairness._options import FairnessOptions
from experiments.fairness._work import FIGURES

TITLES = {
    "balanced_error": "balanced error",
    "error": "error",
    "group_balanced_error": "group-balanced error",
    "worst_group_error": "worst-group error",
    "deo": "DEO",
    "demographic_parity": "demographic parity",
    "equalised_odds": "equalised odds",
}


def summarise(options: FairnessOptions, conditions: Conditions, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole result, plain JSON values: every run, and each method's mean and spread over the seeds."""
    methods: dict[str, Any] = {}
    problem = conditions.setting.problem
    for name in dict.fromkeys(run["method"] for run in runs):
        own = [run for run in runs if run["method"] == name]
        methods[name] = {
            "share": own[0]["share"],
            "objective": None if own[0]["share"] is None else options.objective(own[0]["share"]),
            "summary": {figure: mean_and_std([run[figure] for run in own]) for figure in FIGURES},
            "cell_error": [
                [mean_and_std([run["cell_error"][k][g] for run in own]) for g in range(problem.num_groups)]
                for k in range(problem.num_classes)
            ],
            "worst_cells": Counter(", ".join(run["worst_cell"]) for run in own),
            "runs": own,
        }
    return {
        "data": problem.name,
        "model": conditions.setting.model_name,
        "recipe": {"lr": conditions.recipe.lr, "weight_decay": conditions.recipe.weight_decay},
        "options": {**vars(options)},
        "class_names": list(problem.class_names),
        "group_names": list(problem.group_names or ()),
        "cell_counts": conditions.task.counts(problem.final_training).tolist(),
        "num_test": len(problem.test),
        "seeds": sorted({run["seed"] for run in runs}),
        "methods": methods,
        "versions": versions(),
    }


def to_markdown(results: dict[str, Any], command: str) -> str:
    """The tables with all that a reader needs to judge them."""
    rows, cells = [], []
    for name, content in results["methods"].items():
        rows.append(
            {"loss": name}
            | {title: spread_text(content["summary"][key], "{:.2f}".format) for key, title in TITLES.items()}
        )
        cells.append({"loss": name} | {
            f"{class_name}, {group_name}": spread_text(content["cell_error"][k][g], "{:.1f}".format)
            for k, class_name in enumerate(results["class_names"])
            for g, group_name in enumerate(results["group_names"])
        } | {"worst cell": "; ".join(f"{cell} ({n}x)" for cell, n in content["worst_cells"].items())})  # fmt: skip
    options, seeds = results["options"], results["seeds"]
    counts = "; ".join(
        f"{class_name}: " + ", ".join(f"{group_name} {results['cell_counts'][k][g]}"
                                      for g, group_name in enumerate(results["group_names"]))
        for k, class_name in enumerate(results["class_names"])
    )  # fmt: skip
    notes = [
        f"Percent on {results['num_test']} test samples, mean ± standard deviation over n = {len(seeds)} seeds "
        f"({seeds[0]} to {seeds[-1]}); each seed draws its own splits, weights and order.",
        f"searched-s: the loss searched for (1 - s) {options['accuracy']} + s {options['fairness']} on validation "
        f"samples, from {options['start']}, tied by {options['tie']}.",
        "DEO: largest less smallest error of a class's groups, summed over the classes. Worst-group error: of the "
        "class in a group with the largest. Demographic parity and equalised odds: fairlearn's differences, in points.",
        f"Model {results['model']}, {options['epochs']} epochs, batch {options['batch_size']}, learning rate "
        f"{results['recipe']['lr']:g}, weight decay {results['recipe']['weight_decay']:g}; " + _tuning_note(results),
        f"Training and validation samples of seed {seeds[0]}: {counts}.",
    ]
    return "\n\n".join([
        f"# {results['data']}: error and fairness",
        f"    {command}",
        markdown_table(rows, right=True),
        "\n".join(f"- {note}" for note in notes),
        "## Error by class and group",
        markdown_table(cells, right=True),
    ]) + "\n"  # fmt: skip


def _tuning_note(results: dict[str, Any]) -> str:
    options = results["options"]
    if not options["tune"]:
        return "hyper-parameters of the fixed losses are the papers' own."
    chosen = {
        name: Counter(", ".join(f"{key} {value:g}" for key, value in run["hyper"].items()) for run in content["runs"])
        for name, content in results["methods"].items()
        if any(run["hyper"] for run in content["runs"])
    }
    found = "; ".join(
        f"{name}: " + ", ".join(f"{text} ({n}x)" for text, n in its.items()) for name, its in chosen.items()
    )
    return (
        "hyper-parameters of the fixed losses chosen on validation samples from three trials each (by 0.5 "
        f"{options['accuracy']} + 0.5 {options['fairness']}): {found}."
    )
