"""The page: what the template is given, and its rendering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autobalance.common import significant
from autobalance.data.augmentation import OPERATIONS
from autobalance.study.report import _augmentation_plots as augmentation_plots
from autobalance.study.report import _bins_plot as bins_plot
from autobalance.study.report import _movement_plots as movement_plots
from autobalance.study.report import _plots as plots
from autobalance.study.report import _search_plots as search_plots
from autobalance.study.report._class_table import BY_CLASS, class_table
from autobalance.study.report._groups import group_table
from autobalance.study.report._ranking import as_float, digits
from autobalance.study.report._run import Run
from autobalance.study.report._scores import Score, best_fixed, best_scores, scores
from autobalance.study.report._sentences import (
    choice_sentence,
    chosen,
    constraint_sentences,
    diverged_sentences,
    found_recipe,
    repeat_sentences,
    unmet_sentence,
)
from autobalance.study.report._svg import colours
from autobalance.study.report._theme import dark_colours, named
from autobalance.study.report._verdict import verdict
from autobalance.study.report._words import number, spread, words
from autobalance.tasks.metrics import metrics

# Further figures that a result may hold for a method; those that some method has become columns.
_SHOTS = {f"shots.{shot}.mae": f"MAE {shot}-shot" for shot in ("many", "medium", "few")}


def _found(entry: dict[str, Any], key: str) -> float:
    """A figure of a method by its key, with dots between the keys of nested parts; NaN where there is none."""
    value: Any = entry
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return as_float(value)


def page(run: Run, directory: Path) -> str:
    """The HTML of a run's report."""
    environment = Environment(
        loader=PackageLoader("autobalance.study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = scores(run.result)
    by_class = run.ranking.main if run.index == "bin" and "mae" in run.ranking.main.key else run.ranking.beside
    content: dict[str, Any] = dict(
        title=f"AutoBalance: {run.result.get('data', 'a search run')}",
        subject=_subject(run),
        verdict=verdict(run.result),
        choice=[one for one in (choice_sentence(run.result), unmet_sentence(run.result)) if one],
        diverged=diverged_sentences(run.result),
        table=_table(run, rows),
        overview=_svgs([plots.by_seed(run, rows), plots.class_counts(run)]),
        learned=_svgs(_learned(run)),
        augmentation=_svgs([augmentation_plots.samples(run), augmentation_plots.policy(run)]),
        operations=_operations(run),
        recipe=found_recipe(run.result),
        main=run.ranking.main,
        beside=run.ranking.beside,
        index=run.index,
        curves=_svgs(_curves(run)),
        movements=_svgs(_movements(run)),
        still=[search_plots.SYMBOLS[name] for name in run.parameters if run.history and name not in _moved(run)],
        remarks=_remarks(run),
        classes=_svgs(_classes(run, rows)),
        groups=group_table(run.result, rows),
        columns=run.result.get("columns") or [],
        read=[*(run.result.get("notes") or []), *repeat_sentences(run.result.get("repeats") or {})],
        cost=_cost(run.result.get("cost") or {}),
        usage=_usage(run, directory),
        kept=chosen(run.result) not in (None, "searched"),
        settings=_settings(run),
        sampled=len(run.counts) > search_plots.NAMED,
        num_classes=len(run.counts),
        class_table=class_table(run, rows, 2 if run.index == "class" else by_class.digits),
    )
    drawn = [svg for part in content.values() if isinstance(part, list) for svg in part if isinstance(svg, Markup)]
    dots = [row["colour"] for row in content["table"]["rows"]]
    return environment.get_template("report.html.j2").render(**content, dark=Markup(dark_colours([*drawn, *dots])))


def _svgs(plots: list[str | None]) -> list[Markup]:
    # Safe as it is: matplotlib escapes the text of its SVG, and `_svg.draw` the label.
    return [Markup(svg) for svg in plots if svg is not None]


def _subject(run: Run) -> str:
    result = run.result
    parts = [str(result[key]) for key in ("data", "model") if result.get(key)]
    parts.append(f"{len(run.counts)} {'classes' if run.index == 'class' else 'bins'}")
    if len(run.group_names) > 1:
        parts.append(f"{len(run.group_names)} groups")
    if (ratio := as_float(result.get("imbalance_ratio"))) > 0:
        parts.append(f"imbalance {ratio:.3g} to 1")
    sizes = {"training": "num_train", "validation": "num_validation", "test": "num_test"}
    parts += [f"{result[key]} {part} samples" for part, key in sizes.items() if result.get(key) is not None]
    return " · ".join(parts)


def _table(run: Run, rows: list[Score]) -> dict[str, Any]:
    test, paint = run.result["test"], colours(run.result["test"])
    main, beside = run.ranking.main, run.ranking.beside
    kind = "groups" if len(run.group_names) > 1 else "bins" if run.index == "bin" else "classes"
    columns = [metric for metric in metrics() if metric.column and metric.needs == kind]
    extra = {
        key: heading
        for key, heading in ({metric.key: metric.heading for metric in columns} | _SHOTS).items()
        if heading not in (main.heading, beside.heading) and any(np.isfinite(_found(e, key)) for e in test.values())
    }
    bounds = list(dict.fromkeys(text for entry in test.values() for text in entry.get("constraints") or {}))
    # MAE by shot is in the unit of the target, as the MAE itself.
    decimals = {metric.key: digits(run.result, metric) for metric in columns} | dict.fromkeys(
        _SHOTS, (main if "mae" in main.key else beside).digits
    )
    searched = next((row for row in rows if row.method == "searched"), None)
    return {
        "extra": [*bounds, *extra.values()],
        "compared": searched is not None and len(rows) > 1,
        "rows": [
            {
                "words": row.words,
                "colour": named(paint[row.method]),
                "best": row in best_scores(rows),
                "chosen": row.method == chosen(run.result),
                "searched": row is searched,
                "main": spread(row.mean, row.std, main.digits),
                "beside": spread(row.beside, row.beside_std, beside.digits),
                "difference": ""
                if searched is None or row is searched
                else f"{row.mean - searched.mean:+.{main.digits}f}",
                "seeds": row.seeds,
                "extra": [
                    *(_bound(test[row.method]["constraints"][text]) for text in bounds),
                    *(number(_found(test[row.method], key), decimals[key]) for key in extra),
                ],
            }
            for row in rows
        ],
    }


def _bound(stands: dict[str, Any]) -> str:
    """A constraint's value, and whether it is met with every seed."""
    met = as_float(stands.get("violation")) <= 0
    return f"{significant(as_float(stands.get('value')), 3)} {'met' if met else 'missed'}"


def _curves(run: Run) -> list[str | None]:
    if not run.history:
        return []
    name = str(run.result.get("objective", "objective")).replace("_", " ")
    return [
        search_plots.curve(run, "objective", f"Validation objective ({name})", "objective (differentiable, no unit)"),
        _watched(run),
    ]


def _watched(run: Run) -> str:
    """The exact metric of the validation samples by epoch."""
    if run.index == "bin":
        return search_plots.curve(run, "mae", "Validation MAE", "MAE")
    main, beside = run.ranking.main, run.ranking.beside
    shown = main if main.unit == " %" else beside  # the user's own objective has a curve already
    kept = shown.key != "objective" and any(shown.key in row for row in run.history)
    return search_plots.curve(
        run, shown.key if kept else "objective_metric", f"Validation {shown.title}", f"{shown.title} (%)"
    )


def _learned(run: Run) -> list[str | None]:
    if run.index == "class":
        return [search_plots.parameter(run, name) for name in search_plots.SYMBOLS]
    return [bins_plot.parameter_by_bin(run, name) for name in run.parameters]


def _movements(run: Run) -> list[str | None]:
    numbers = [movement_plots.number(run, name) for name in movement_plots.NUMBERS]
    collected = [movement_plots.collected(run, name) for name in movement_plots.COLLECTED]
    return [*(movement_plots.table(run, name) for name in _moved(run)), *numbers, *collected]


def _moved(run: Run) -> list[str]:
    """The tables that were free, or changed from one epoch to another."""
    free = (run.result.get("search") or {}).get("free") or ()
    held = {name: [(row.get("parameters") or {}).get(name) for row in run.history] for name in movement_plots.TABLES}
    return [
        name
        for name, values in held.items()
        if any(value is not None for value in values)
        and (name in free or len({json.dumps(value) for value in values if value is not None}) > 1)
    ]


def _remarks(run: Run) -> list[str]:
    search = run.result.get("search") or {}
    remarks = constraint_sentences(run.result)
    if search.get("stopped_early"):
        remarks.append("The search stopped early; the loss is its last good one.")
    if skipped := search.get("skipped_steps"):
        remarks.append(f"{skipped} outer steps were skipped: their hypergradient was not finite.")
    if not run.history:
        remarks.append("There is no history of this search.")
    return remarks


def _classes(run: Run, rows: list[Score]) -> list[str | None]:
    """Plots by class of the searched and at most three fixed losses, the best first."""
    known = [row for row in rows if run.result["test"][row.method].get(BY_CLASS[run.index])]
    searched = [row.method for row in known if row.method == "searched"]
    fixed = [row.method for row in known if row.method != "searched"][:3]
    if not known:
        return []
    best = best_fixed(known)
    pair = bool(searched) and best is not None
    height = plots.class_height(run, len(searched + fixed))
    difference = plots.class_differences(run, best.method, height) if pair and best is not None else None
    return [plots.class_errors(run, searched + fixed, height), difference]


def duration(seconds: float) -> str:
    """``12.0 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _cost(cost: dict[str, Any]) -> list[tuple[str, str]]:
    shown = {
        "search_seconds": ("the search", duration),
        "train_seconds": ("one plain training", duration),
        "ratio": ("search over one plain training", lambda value: f"{value:.2f} ×"),
        "total_ratio": ("search and choice over one plain training", lambda value: f"{value:.2f} ×"),
        "peak_memory_mb": ("peak memory", lambda value: f"{value:,.0f} MB".replace(",", " ")),
    }
    if not cost.get("choice_seconds"):
        del shown["total_ratio"]
    values = {key: as_float(cost.get(key)) for key in shown}
    return [(what, form(values[key])) for key, (what, form) in shown.items() if values[key] >= 0]


def _operations(run: Run) -> list[tuple[str, str]]:
    """The operations of the policy, and what their strengths are measured in."""
    if run.policy is None:
        return []
    known = OPERATIONS[run.policy.kind]
    return [(name, f"{known[name].unit}, at most {known[name].largest:g}") for name in run.policy.operations]


def _usage(run: Run, directory: Path) -> str:
    place = directory if not directory.is_absolute() else Path(directory.name)

    def load(name: str, more: str = "") -> str:
        return f"autobalance.load_{name}({json.dumps((place / f'{name}.json').as_posix(), ensure_ascii=False)}{more})"

    group = ", group=group" if run.group_names else ""
    taken = chosen(run.result)
    lines = ["import autobalance", f"loss = {load('loss')}" + (f"  # {words(taken)}" if taken else "")]
    if run.policy is not None and taken in (None, "searched"):  # the augmentation goes with the searched loss
        cells = ", group" if run.policy.num_groups else ""
        lines += [f"policy = {load('augmentation')}", f"inputs, targets = policy(inputs, targets{cells})"]
    if (run.result.get("search") or {}).get("fds_layer"):
        lines += [f"model = {load('fds', ', model, inputs')}"]
        lines += ["model.see(targets)  # before each batch; after each epoch: model.end_epoch()"]
    return "\n".join([*lines, f"loss(model(inputs), targets{group}).backward()"])


def _settings(run: Run) -> list[tuple[str, str]]:
    result, search = run.result, run.result.get("search") or {}
    start = search.get("start")
    pairs = [
        (key.replace("_", " "), result.get(key)) for key in ("data", "task", "model", "objective", "seed", "seeds")
    ]
    pairs += [(key.replace("_", " "), value) for key, value in search.items() if key not in ("start", "rates")]
    pairs += [("recipe parameters found", found_recipe(run.result) or None)]
    pairs += [("search started from", words(start) if isinstance(start, str) else start)]
    known = {key for key, _ in pairs}
    asked = {**(result.get("recipe") or {}), **(result.get("options") or {})}
    pairs += [(name, value) for key, value in asked.items() if (name := key.replace("_", " ")) not in known]
    pairs += list((result.get("versions") or {}).items())
    return [(key, str(value) if key == "data" else _plain(value)) for key, value in pairs if value is not None]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("_", " ")
