"""``comparison.svg``: every method's balanced error with its seeds, and its error by shot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"many": "#4477AA", "medium": "#CCBB44", "few": "#EE6677"}


def draw(results: dict[str, Any], path: Path) -> None:
    """Writes the figure. The same results give the same file."""
    ranked = sorted(results["methods"].items(), key=lambda item: item[1]["summary"]["balanced_error"]["mean"])
    names = [name for name, _ in ranked]
    rows = range(len(ranked))
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(9, 1.2 + 0.28 * len(ranked)), sharey=True, layout="constrained"
        )
        for row, (_, content) in zip(rows, ranked, strict=True):
            value = content["summary"]["balanced_error"]
            seeds = [run["balanced_error"] for run in content["runs"]]
            left.plot(seeds, [row] * len(seeds), "|", color="#BBBBBB", markersize=9, zorder=1)
            left.errorbar(
                value["mean"], row, xerr=value["std"] or 0.0, fmt="o", color="#222222", markersize=4, zorder=2
            )
            for shot, colour in COLOURS.items():
                if (mean := content["summary"][shot]["mean"]) is not None:
                    right.plot(mean, row, "o", color=colour, markersize=5)
        left.set_yticks(list(rows), names)
        left.invert_yaxis()
        left.set_xlabel(f"balanced test error (%), mean ± std, n = {len(results['seeds'])}; bars: the seeds")
        right.set_xlabel("test error (%) by shot")
        for shot, colour in COLOURS.items():
            if shot in results["shots"]:
                right.plot([], [], "o", color=colour, label=f"{shot}-shot")
        right.legend(loc="best", frameon=False)
        for axes in (left, right):
            axes.grid(axis="x", color="#EEEEEE")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
