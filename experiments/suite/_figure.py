"""``suite.svg``: the average rank of every method and its rank on each problem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def draw(summary: Mapping[str, Any], path: Path) -> None:
    """Writes the figure. The same summary gives the same file."""
    average, each = summary["ranks"]["average"], summary["ranks"]["each"]
    rows = range(len(average))
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(7, 1.3 + 0.22 * len(average)), layout="constrained")
        for row, (method, rank) in zip(rows, average.items(), strict=True):
            axes.plot(each[method], [row] * len(each[method]), "|", color="#BBBBBB", markersize=8, zorder=1)
            chosen = method == summary["reference"]
            axes.plot(rank, row, "o", color="#EE6677" if chosen else _colour(method), markersize=6, zorder=2)
        axes.set_yticks(list(rows), list(average))
        axes.invert_yaxis()
        problems = len(summary["problems"])
        shaded = "shaded: not different from the best (Nemenyi, 0.05)"
        axes.set_xlabel(f"average rank over {problems} problems (1 is best); bars: the problems;\n{shaded}")
        for label, colour in {"as published": GREY, "tuned": BLUE, "searched": GREEN}.items():
            axes.plot([], [], "o", color=colour, label=label)
        if summary["reference"]:
            axes.plot([], [], "o", color="#EE6677", label=summary["reference"])
        figure.legend(loc="outside upper center", frameon=False, ncols=4)
        best = min(average.values())
        axes.axvspan(best, best + (summary["ranks"]["critical_difference"] or 0), color="#F4F4F4", zorder=0)
        axes.grid(axis="x", color="#EEEEEE")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


GREY, BLUE, GREEN = "#777777", "#4477AA", "#228833"


def _colour(method: str) -> str:
    from autobalance.losses.named import named_losses

    if method in named_losses():
        return GREY
    return BLUE if method.endswith(", tuned") or method == "best-of-six" else GREEN
