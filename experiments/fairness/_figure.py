"""``tradeoff.svg``: error against DEO, the searched losses as a line along the blends, the fixed ones as points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SEARCHED = "#0072B2"
COLOURS = ("#E69F00", "#6E6E6E", "#CC79A7", "#009E73", "#D55E00", "#332288", "#882255", "#44AA99")
MARKERS = "sD^vP*X<"


def draw(results: dict[str, Any], path: Path) -> None:
    """Writes the figure. The same results give the same file."""
    methods = results["methods"]
    searched = sorted((content["share"], name) for name, content in methods.items() if content["share"] is not None)
    fixed = [name for name, content in methods.items() if content["share"] is None]
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(6.2, 4.2), layout="constrained")
        points = [(*_point(methods[name]), share) for share, name in searched]
        axes.plot([p[0] for p in points], [p[2] for p in points], "-", color=SEARCHED, lw=1.2, zorder=2)
        for place, (x, dx, y, dy, share) in enumerate(points):
            label = "searched; the number is the share of fairness" if place == 0 else None
            axes.errorbar(
                x,
                y,
                xerr=dx,
                yerr=dy,
                fmt="o",
                color=SEARCHED,
                ecolor=(SEARCHED, 0.35),
                ms=5,
                elinewidth=0.8,
                label=label,
                zorder=3,
            )
            axes.annotate(f"{share:g}", (x, y), (5, 5), textcoords="offset points", color=SEARCHED, fontsize=8)
        for place, name in enumerate(fixed):
            x, dx, y, dy = _point(methods[name])
            style: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)], "fmt": MARKERS[place % len(MARKERS)]}
            axes.errorbar(
                x, y, xerr=dx, yerr=dy, ms=6, elinewidth=0.8, ecolor=(style["color"], 0.35), label=name, **style
            )
        axes.set_xlabel(f"balanced test error (%), mean ± std, n = {len(results['seeds'])}")
        axes.set_ylabel("DEO on test (points)")
        axes.set_title(f"{results['data']}: both small is best (lower left)", fontsize=10, loc="left")
        axes.legend(loc="best", frameon=False, fontsize=8)
        axes.grid(color="#EEEEEE")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _point(content: dict[str, Any]) -> tuple[float, float, float, float]:
    x, y = (content["summary"][key] for key in ("balanced_error", "deo"))
    return x["mean"], x["std"] or 0.0, y["mean"], y["std"] or 0.0
