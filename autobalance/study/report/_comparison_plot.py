"""``comparison.svg``: every method's main figure with its seeds, and beside it the shots or the figures of groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autobalance.study.report._comparison_table import ranked
from autobalance.tasks.metrics import metric_named

COLOURS = ("#4477AA", "#CCBB44", "#EE6677")


def draw_comparison(results: dict[str, Any], path: Path) -> None:
    """Writes the figure. The same results give the same file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    methods, main, columns = ranked(results), metric_named(results["main"]), results["columns"]
    beside = ["many", "medium", "few"]
    if results["index"] == "cell":
        beside = [name for name in columns if name not in beside and metric_named(name).needs == "groups"][1:4]
    names = [name for name, _ in methods]
    rows = range(len(methods))
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(9, 1.2 + 0.28 * len(methods)), sharey=True, layout="constrained"
        )
        for row, (_, content) in zip(rows, methods, strict=True):
            value = content["summary"][main.key]
            seeds = [run[main.key] for run in content["runs"]]
            left.plot(seeds, [row] * len(seeds), "|", color="#BBBBBB", markersize=9, zorder=1)
            left.errorbar(
                value["mean"], row, xerr=value["std"] or 0.0, fmt="o", color="#222222", markersize=4, zorder=2
            )
            for name, colour in zip(beside, COLOURS, strict=False):
                if (mean := content["summary"][name]["mean"]) is not None:
                    right.plot(mean, row, "o", color=colour, markersize=5)
        left.set_yticks(list(rows), names)
        left.invert_yaxis()
        left.set_xlabel(f"{main.heading}, test, mean ± std, n = {len(results['seeds'])}; bars: the seeds")
        right.set_xlabel(f"test{main.unit}")
        for name, colour in zip(beside, COLOURS, strict=False):
            if methods[0][1]["summary"][name]["mean"] is not None:
                right.plot([], [], "o", color=colour, label=columns[name])
        right.legend(loc="best", frameon=False)
        for axes in (left, right):
            axes.grid(axis="x", color="#EEEEEE")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
