"""``table.md`` for people and papers, ``table.csv`` for programs; both from what ``results.json`` holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from autobalance.common import significant
from autobalance.study.report._markdown import markdown_table, p_text, plural, spread_text
from autobalance.study.report._published import Published
from autobalance.tasks.metrics import metric_named

SHOTS = ("many", "medium", "few")


def comparison_markdown(results: dict[str, Any], published: Sequence[Published], command: str) -> str:
    """The tables with all that a reader needs to judge them."""
    methods = results["methods"]
    parts = [
        f"# {results['data']}: comparison of {len(methods)} methods",
        f"    {command}",
        markdown_table(main_table(results, published)),
        "\n".join(f"- {note}" for note in notes(results, published)),
        f"## {'MAE' if results['index'] == 'bin' else 'Error'} by {results['index']}",
        markdown_table(class_table(results)),
    ]
    return "\n\n".join(parts) + "\n"


def main_table(results: dict[str, Any], published: Sequence[Published]) -> list[dict[str, str]]:
    """A row a method, the best first."""
    rows: list[dict[str, str]] = []
    for name, content in ranked(results):
        summary = content["summary"]
        row = {"method": name, "head": content["head"]}
        row |= {title: spread_text(summary[key], text_of(results, key)) for key, title in results["columns"].items()}
        row["p against best"] = "best" if name == results["best"] else p_text(content["p_against_best"])
        row["seconds"] = spread_text(summary["seconds"], "{:.1f}".format)
        row["memory (MB)"] = spread_text(summary["memory_mb"], "{:.0f}".format, False)
        row["tuning (s)"] = f"{content['tuning']['seconds']:.0f}" if content["tuning"] else "-"
        row["hyper-parameters"] = _hyper(content)
        row |= {table.title: table.text(name) for table in published}
        rows.append(row)
    return rows


def class_table(results: dict[str, Any]) -> list[dict[str, str]]:
    """A row a class, in the order of the classes, with the methods in the order of the main table."""
    short, index = text_of(results, results["main"], fewer=1), results["index"]
    facts = zip(results["class_names"], results["class_counts"], results["shots"], strict=True)
    rows = [{index: name, "training samples": str(count), "shot": shot} for name, count, shot in facts]
    for name, content in ranked(results):
        for row, value in zip(rows, content["summary"][results["by_index"]], strict=True):
            row[name] = spread_text(value, short)
    return rows


def comparison_csv(results: dict[str, Any]) -> str:
    """A row a method with plain numbers: mean and std of every figure, hyper-parameters, and the error by class."""
    index, rows = results["index"], []
    for name, content in ranked(results):
        summary = content["summary"]
        row: dict[str, Any] = {"method": name, "head": content["head"], "n": len(content["runs"])}
        for key in (*results["columns"], "seconds", "memory_mb"):
            row |= {f"{key}_{part}": summary[key][part] for part in ("mean", "std")}
        row["p_against_best"] = content["p_against_best"]
        row["tuning_seconds"] = content["tuning"]["seconds"] if content["tuning"] else None
        row["hyper_parameters"] = _hyper(content)
        row["diverged"] = summary["diverged"]
        figure = results["by_index"].removeprefix(f"{index}_")
        for k, value in enumerate(summary[results["by_index"]]):
            row |= {f"{index}_{k}_{figure}_{part}": value[part] for part in ("mean", "std")}
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def notes(results: dict[str, Any], published: Sequence[Published]) -> list[str]:
    """What the numbers are, and what they do not say."""
    options, methods, index = results["options"], results["methods"], results["index"]
    number, samples = len(results["seeds"]), results["num_final_training"]
    apart = "; the validation samples are the data's own and are not trained on" * (samples == results["num_train"])
    lines = [
        f"On {results['num_test']} test samples, mean ± standard deviation over n = {number} "
        f"trainings (seeds {results['seeds'][0]} to {results['seeds'][-1]}: weights and order of the samples; data and "
        "splits are the same for all, so the spread leaves out the draw of the data). "
        + " ".join(metric_named(name).meaning for name in results["columns"] if name not in SHOTS),
        f"Trained on {samples} samples (training split {results['num_train']}, validation split "
        f"{results['num_validation']}{apart}), model {results['model']}, {options['epochs']} epochs, "
        f"batch {options['batch_size']}; largest "
        f"{index} {max(results['class_counts'])}, smallest {min(results['class_counts'])}.",
        f"Many-shot: more than {options['many']} training samples; few-shot: fewer than {options['few']}; "
        f"-: there is no such {index}.",
        f"p: paired t-test over n = {number} seeds against the best row ({results['best']}), Holm-corrected for "
        f"{len(methods) - 1} comparisons; -: no test. The best row is chosen by the same test errors, so a small lead "
        "of it is partly luck.",
    ]
    lines.append(_tuning_note(results))
    if cosine := [name for name, content in methods.items() if content["head"] == "cosine"]:
        others = (
            "the model's own head" if "own" in (content["head"] for content in methods.values()) else "a linear head"
        )
        lines.append(f"{', '.join(cosine)}: with a head of cosines, as published; the others have {others}.")
    lines.append("Seconds and memory: of one training; memory is the whole process's on a CPU.")
    if bad := {name: content["summary"]["diverged"] for name, content in methods.items()}:
        constant = "the mean of the training targets" if index == "bin" else "a constant prediction"
        lines += [f"{name}: {times} of {number} trainings diverged and count as {constant}."
                  for name, times in bad.items() if times]  # fmt: skip
    lines += [f"Differs from the published recipe: {line}." for line in results["deviations"]]
    for table in published:
        lines.append(f"{table.title[0].upper()}{table.title[1:]}. {table.source}")
        if table.others:
            rows = ", ".join(f"{name} {error:.2f}" for name, error in table.others.items())
            lines.append(f"There too, and no row here: {rows}.")
    return lines


def _tuning_note(results: dict[str, Any]) -> str:
    options, methods = results["options"], results["methods"]
    searches = {name: its for name, its in methods.items() if its["search_cost"] is not None}
    if not options["tune"]:
        text = "Hyper-parameters are the papers' own; nothing was tuned."
        return text + (f" {', '.join(searches)}: one search on the validation split, untuned." if searches else "")
    main, tie = (metric_named(results[name]).title for name in ("main", "tie"))
    what = "its own hyper-parameters" + (", learning rate and weight decay" if options["tune_recipe"] else "")
    where, folds = "on the validation split", options["tune_folds"]
    if folds > 1:
        where = (
            f"on {folds} folds of training and validation samples, that is "
            f"{plural(options['tune'] // folds, 'trial')} of {folds} trainings, each judged on all held-out samples"
        )
    text = (
        f"Each method had a budget of {options['tune']} trainings to tune {what} {where} (TPE, the "
        f"first trial with the papers' values; chosen by {main}, then {tie}), "
        f"then was trained on {results['num_final_training']} samples."
    )
    if still := [name for name, content in methods.items() if content["tuning"] is None]:
        text += f" Not tuned, having nothing to tune: {', '.join(still)}."
    for name, its in searches.items():
        number, judged = (
            len(its["tuning"]["trials"]),
            "judged on the validation split" if folds > 1 else "on the same split",
        )
        text += f" {name}: {plural(number, 'search', 'es')}, each counted as {its['search_cost']} trainings, {judged}."
    return text


def _hyper(content: dict[str, Any]) -> str:
    values = dict(content["hyper"])
    if content["tuning"] and "lr" in content["tuning"]["tuned"]:
        values |= content["recipe"]
    values |= content["own"]
    return ", ".join(f"{name} {_number(name, value)}" for name, value in values.items()) or "-"


def _number(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.6g}" if "beta" in name else f"{value:.3g}"


def ranked(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The methods by the mean of the main figure, the best first."""
    main = results["main"]
    return sorted(results["methods"].items(), key=lambda item: item[1]["summary"][main]["mean"])


def text_of(results: dict[str, Any], key: str, fewer: int = 0) -> Callable[[float], str]:
    """How a column prints its figures; with ``fewer`` decimals, where their number is fixed."""
    digits = metric_named(results["main"] if key in SHOTS else key).digits
    return lambda value: significant(value, 4) if digits is None else f"{value:.{max(0, digits - fewer)}f}"
