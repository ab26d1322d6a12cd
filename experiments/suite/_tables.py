"""``suite.md``: the bars, the ranks with costs and tests, and every figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autobalance.study.report import markdown_table, p_text
from experiments.suite._plan import METRICS
from experiments.suite._verdict import LEVEL, bars

NOTES = (
    r"Mean ± standard deviation over the splits, lowest mean in bold. \* differs from the reference in a paired t-test "
    rf"over the splits (p < {LEVEL}), \*\* also after Holm's correction for all methods. Splits share samples, so such "
    "a test finds a little too much."
)


def markdown(summary: Mapping[str, Any], judge: str) -> str:
    """The whole text of one kind of problems."""
    seeds = sorted({len(of["seeds"]) for of in summary["problems"].values()})
    number = " to ".join(map(str, seeds[:: max(1, len(seeds) - 1)]))
    what = "test samples" if judge == "test" else "samples held out of the training data; no test sample was looked at"
    lines = [f"{len(summary['problems'])} problems, {number} splits each, judged on {what}."]
    if summary["left_out"]:
        lines.append(f"Not finished and left out: {', '.join(summary['left_out'])}.")
    if summary["reference"]:
        lines += ["", f"### What {summary['reference']} has to reach", ""]
        lines += [f"- {'yes' if reached else '**no**'}: {text}: {figures}." for text, reached, figures in bars(summary)]
    lines += ["", "### Ranks", "", _ranks(summary), "", "### Figures", "", NOTES, "", _figures(summary)]
    lines += ["", "### Problems", "", _problems(summary)]
    return "\n".join(lines) + "\n"


def _ranks(summary: Mapping[str, Any]) -> str:
    rows = []
    for method, rank in summary["ranks"]["average"].items():
        row = {"method": method, "average rank": f"{rank:.2f}", "cost": f"{summary['costs'][method]:.2f}"}
        entry = summary["overall"].get(method)
        if summary["reference"]:
            row |= {
                f"{summary['reference']} better / worse": f"{entry['better']} / {entry['worse']}" if entry else "",
                "surely": f"{entry['surely_better']} / {entry['surely_worse']}" if entry else "",
                "p over problems": p_text(entry.get("wilcoxon_p_corrected")) if entry else "",
            }
        rows.append(row)
    p, apart = p_text(summary["ranks"]["friedman_p"]), summary["ranks"]["critical_difference"]
    note = (
        f"Friedman's test that all are alike: p {p}; two ranks differ (Nemenyi, {LEVEL}) from {apart or 0:.2f} apart. "
        "Cost: of choosing the loss, in plain trainings; the training with it comes on top, for all alike. Better, "
        f"worse: on how many problems; surely: with p < {LEVEL} in a paired t-test over the splits, corrected (Holm) "
        "for all methods. p over problems: Wilcoxon's signed-rank test of the means, corrected likewise."
    )
    return markdown_table(rows) + "\n\n" + note


def _figures(summary: Mapping[str, Any]) -> str:
    problems = summary["problems"]
    lowest = {name: min(m["mean"] for m in of["methods"].values()) for name, of in problems.items()}
    rows = []
    for method in summary["ranks"]["average"]:
        row = {"method": method}
        for name, of in problems.items():
            entry = of["methods"][method]
            mean = f"{entry['mean']:.4g}"
            text = f"**{mean}**" if entry["mean"] == lowest[name] else mean
            text += "" if entry["std"] is None else f" ± {round(entry['std'], 9):.2g}"
            for key in ("p", "p_corrected"):
                text += r"\*" if entry.get(key) is not None and entry[key] < LEVEL else ""
            row[name] = text
        rows.append(row)
    return markdown_table(rows)


def _problems(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, of in summary["problems"].items():
        facts = of["facts"]
        counts = [count for row in facts["counts"] for count in (row if isinstance(row, list) else [row]) if count]
        rows.append(
            {
                "problem": name,
                "figure": METRICS[facts["metric"]],
                "classes or bins": str(len(facts["counts"])),
                "training and validation samples": str(sum(counts)),
                "largest / smallest": f"{max(counts)} / {min(counts)}",
                "judging samples": str(facts["held_out"]),
                "model": facts["model"],
                "epochs": str(facts["epochs"]),
            }
        )
    return markdown_table(rows)
