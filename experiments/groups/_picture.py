"""The picture of a trade-off, and which of its points to take for a limit."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from autobalance.study.report import markdown_table
from experiments.groups._page import chosen_of
from experiments.groups._path import ERROR, GAP, SAID, SHARES, within

#: What the rivals' candidates are chosen by.
CHOSEN_BY = "balanced_error + deo"
COLOUR = "#0072B2"
MARKERS = "sD^vP*X<>hdp"
#: Limits on the gap, as shares of that of the path's first point on held-out samples.
LIMITS = (1.0, 0.75, 0.5, 0.25)


def table(name: str, paths: Sequence[Mapping[str, Any]]) -> str:
    """The points of the path, then which one to take for a limit, means over splits."""
    rows = [
        {"share of deo": f"{share:g}"}
        | {f"held-out {text}": f"{_mean(paths, place, 'held', text):.1f}" for text in (ERROR, GAP)}
        | {text: f"{_mean(paths, place, 'test', text):.1f}" for text in SAID}
        for place, share in enumerate(SHARES)
    ]
    taken = []
    for part in LIMITS:
        limits = [part * path["points"][0]["held"][GAP] for path in paths]
        points = [within(path["points"], limit) for path, limit in zip(paths, limits, strict=True)]
        kept = sum(point["held"][GAP] <= limit for point, limit in zip(points, limits, strict=True))
        taken.append(
            {
                "limit on deo": f"{statistics.fmean(limits):.1f} ({part:.0%} of the first point's)",
                "shares taken": ", ".join(f"{point['share']:g}" for point in points),
                "kept on held-out samples": f"{kept} of {len(points)}",
                **{text: f"{statistics.fmean(point['test'][text] for point in points):.1f}" for text in SAID[:3]},
            }
        )
    return f"### {name}\n\n{markdown_table(rows)}\n\n{markdown_table(taken)}\n"


def _mean(paths: Sequence[Mapping[str, Any]], place: int, side: str, text: str) -> float:
    return statistics.fmean(path["points"][place][side][text] for path in paths)


def draw(name: str, paths: Sequence[Mapping[str, Any]], rivals: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Writes the figure: the path as a line, the rivals as points, means over the same splits of test samples."""
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        x, y = ([_mean(paths, place, "test", text) for place in range(len(SHARES))] for text in (ERROR, GAP))
        axes.plot(x, y, "o-", color=COLOUR, ms=5, lw=1.2, label="last-layer; the number is the share of deo", zorder=3)
        for share, place in zip(SHARES, zip(x, y, strict=True), strict=True):
            axes.annotate(f"{share:g}", place, (5, 5), textcoords="offset points", color=COLOUR, fontsize=8)
        for number, way in enumerate(rivals[0]["rivals"] if rivals else ()):
            chosen = [chosen_of(each["rivals"][way], CHOSEN_BY)["test"] for each in rivals]
            point = [statistics.fmean(each[text] for each in chosen) for text in (ERROR, GAP)]
            style = MARKERS[number % len(MARKERS)]
            axes.plot(*point, style, color=plt.cm.tab20(number % 20), ms=6, label=way)
        axes.set_xlabel(f"balanced test error (%), mean of {len(paths)} splits")
        axes.set_ylabel("DEO on test (points)")
        axes.set_title(f"{name}: both small is best (lower left)", fontsize=10, loc="left")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
        axes.grid(color="#EEEEEE")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)
