"""Plots of the test results and of the classes. Each gives an ``<svg>`` element, sensible for 2 classes as for 1000."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from autobalance.study.report._class_table import BY_CLASS
from autobalance.study.report._ranking import as_float
from autobalance.study.report._run import Array, Run
from autobalance.study.report._scores import Score
from autobalance.study.report._svg import colours, draw, marker, root, short
from autobalance.study.report._words import words

LISTED = 30
"""Up to so many classes have a row or bar of their own."""


def by_seed(run: Run, rows: list[Score]) -> str:
    """What the methods are ranked by, for every seed: a row for each method, its mean as a bar."""
    paint, figure = colours(row.method for row in rows), run.ranking.words

    def plot(axes: Axes) -> None:
        for place, row in enumerate(rows):
            values = row.by_seed or (row.mean,)
            shift = 0.12 * (np.arange(len(values)) - (len(values) - 1) / 2) if len(values) < 6 else 0 * np.array(values)
            axes.plot(
                [row.mean] * 2, [place - 0.32, place + 0.32], color=paint[row.method], lw=2.5, solid_capstyle="butt"
            )
            axes.plot(values, place + shift, marker(row.method), ms=5, color=paint[row.method], alpha=0.6, mec="none")
        axes.set_yticks(range(len(rows)), [short(row.words, 26) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(figure + (" (%)" if run.ranking.main.unit else ""))
        axes.set_title("Every seed (dots) and the mean (bar)")

    return draw(plot, f"{figure[0].upper()}{figure[1:]} of every seed by method", height=1.3 + 0.36 * len(rows))


def class_counts(run: Run) -> str:
    """Samples of each class, most frequent first, or of each bin."""
    counts = run.counts[run.listed]

    def plot(axes: Axes) -> None:
        places = np.arange(len(counts))
        if len(counts) <= LISTED:
            bars = axes.bar(places, counts, color="#9db7c9", width=0.8)
            names = [short(run.class_names[k], 10) for k in run.listed]
            upright = len(names) > 6 and max(map(len, names)) > 3
            axes.set_xticks(places, names, rotation=60 if upright else 0, ha="right" if upright else "center")
            axes.tick_params(axis="x", length=0)
            if upright:
                for text in axes.get_xticklabels():
                    text.set_rotation_mode("anchor")
            if len(counts) <= 12:
                axes.bar_label(bars, [f"{count:.0f}" for count in counts], fontsize=7, padding=1)
        else:
            axes.fill_between(places + 1, counts, step="mid", color="#9db7c9")
            axes.set_xlim(1, len(counts))
            axes.set_xlabel(_ranked(run))
        if counts.max() > 50 * counts.min():
            axes.set_yscale("log")
            axes.set_ylim(bottom=max(counts.min() / 2, 0.5))
            axes.yaxis.set_major_formatter(lambda tick, _: f"{tick:,.0f}".replace(",", " "))
            axes.set_ylabel("samples (log scale)")
        else:
            axes.set_ylabel("samples")
        axes.grid(axis="x", visible=False)
        axes.set_title(f"Training and validation samples of each {run.index}")

    return draw(plot, f"Training and validation samples of each {run.index}", height=2.5)


def class_height(run: Run, methods: int) -> float:
    """The height of both plots by class, so that their rows are level."""
    return 3.4 if len(run.counts) > LISTED else 1.5 + (0.14 + 0.07 * methods) * len(run.counts)


def class_errors(run: Run, methods: list[str], height: float) -> str:
    """Test error by class of some methods, most frequent class first."""
    means, stds = _class_tables(run, methods)
    paint = colours(run.result["test"])
    if len(run.counts) > LISTED:
        return _error_lines(run, methods, means, paint, height)

    def plot(axes: Axes) -> None:
        step = 0.62 / len(methods)
        for place, method in enumerate(methods):
            y = np.arange(len(run.counts)) + step * (place - (len(methods) - 1) / 2)
            style: dict[str, Any] = {"color": paint[method], "ms": 5, "elinewidth": 1, "mec": "none"}
            axes.errorbar(
                means[place], y, xerr=stds[place], fmt=marker(method), label=short(words(method), 26), **style
            )
        _class_rows(axes, run)
        axes.set_xlabel(f"{_error(run)}, mean ± standard deviation")
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.set_title("By class, most frequent first" if run.index == "class" else "By bin")
        _legend(axes)

    return draw(plot, f"Test error by {run.index}", height=height)


def class_differences(run: Run, fixed: str, height: float) -> str:
    """Searched minus the best fixed loss by class: below zero the searched loss is better."""
    means, _ = _class_tables(run, ["searched", fixed])
    difference, paint = (means[0] - means[1]), colours(run.result["test"])

    def plot(axes: Axes) -> None:
        if len(run.counts) > LISTED:
            edges = _bins(len(difference))
            values = [
                np.nanmean(difference[a:b]) if np.isfinite(difference[a:b]).any() else np.nan
                for a, b in pairwise(edges)
            ]
            axes.axvline(0, color="#4a4f57", lw=1)
            axes.barh(
                (edges[:-1] + edges[1:] + 1) / 2, values, 0.8 * np.diff(edges), color=_sides(values, paint, fixed)
            )
            axes.set_ylim(len(difference) + 1, 0)
            axes.set_ylabel(_ranked(run))
        else:
            axes.axvline(0, color="#4a4f57", lw=1)
            axes.barh(np.arange(len(difference)), difference, 0.6, color=_sides(difference, paint, fixed))
            _class_rows(axes, run)
        reach = 1.15 * max(float(np.nanmax(np.abs(difference), initial=0)), 1.0 if run.index == "class" else 1e-9)
        axes.set_xlim(-reach, reach)
        axes.set_xlabel(f"{'points' if run.index == 'class' else 'difference'} (← searched better | searched worse →)")
        axes.set_title(f"Searched minus {short(words(fixed), 26)}")

    return draw(plot, f"Difference in test error by {run.index}", height=height)


def _sides(values: Any, paint: dict[str, str], fixed: str) -> list[str]:
    """The colour of whoever is better."""
    return [paint["searched"] if value <= 0 else paint[fixed] for value in values]


def _class_rows(axes: Axes, run: Run) -> None:
    axes.set_yticks(range(len(run.counts)), [short(run.class_names[k]) for k in run.listed])
    axes.set_ylim(len(run.counts) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _class_tables(run: Run, methods: list[str]) -> tuple[Array, Array]:
    """Means and standard deviations, (methods, K), in the order of frequency; NaN where not known."""
    tables = []
    for key in (BY_CLASS[run.index], f"{BY_CLASS[run.index]}_std"):
        rows = [run.result["test"][method].get(key) or [None] * len(run.counts) for method in methods]
        tables.append(np.array([[as_float(value) for value in row] for row in rows])[:, run.listed])
    return tables[0], np.nan_to_num(tables[1])


def _bins(size: int, most: int = 40) -> NDArray[np.intp]:
    """Edges of at most ``most`` runs of neighbouring classes."""
    return np.unique(np.linspace(0, size, min(size, most) + 1).astype(int))


def _error_lines(run: Run, methods: list[str], means: Array, paint: dict[str, str], height: float) -> str:
    edges = _bins(means.shape[1])

    def plot(axes: Axes) -> None:
        for place, method in enumerate(methods):
            runs = [means[place, a:b] for a, b in pairwise(edges)]
            values = [float(np.nanmean(part)) if np.isfinite(part).any() else np.nan for part in runs]
            style: dict[str, Any] = {"color": paint[method], "marker": marker(method), "ms": 3, "lw": 1.4}
            axes.plot((edges[:-1] + edges[1:] + 1) / 2, values, label=short(words(method), 26), **style)
        axes.set_xlabel(_ranked(run, " (most frequent left)"))
        axes.set_ylabel(_error(run))
        axes.set_title("Means over neighbouring " + ("classes" if run.index == "class" else "bins"))
        _legend(axes)

    return draw(plot, f"Test error by {run.index}", height=height)


def _ranked(run: Run, which: str = "") -> str:
    return f"class, ranked by frequency{which}" if run.index == "class" else "bin, along the target"


def _error(run: Run) -> str:
    return "test error (%)" if run.index == "class" else "test MAE"


def _legend(axes: Axes) -> None:
    root(axes).legend(loc="outside lower center", ncols=2, columnspacing=1.2)
