"""Plots of the search and of the loss that it found. Each gives an ``<svg>`` element, or None without its input."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from autobalance.study.report._ranking import as_float
from autobalance.study.report._run import Array, Run
from autobalance.study.report._svg import colours, count_axis, draw, label_points, plain_ticks, root, short

SYMBOLS = {"w": "weight w", "l": "additive adjustment l", "delta": "multiplicative adjustment Δ"}
_AXES = {
    "w": "w (mean one)",
    "l": "l (mean zero)",
    "delta": "Δ (factor on the logit)",
}
_REFERENCES = {
    "ce": "no effect",
    "la": "logit adjustment (τ = 1)",
    "cdt": "CDT (γ = 0.2)",
    "weighted": "inverse frequency",
    "group-weighted": "inverse cell frequency",
    "group-la": "group logit adjustment (τ = 1)",
    "group-vs": "group VS (γ = 0.3)",
}
#: The losses for groups have the colours of their kin without.
_KIN = {"group-weighted": "weighted", "group-la": "la", "group-vs": "cdt"}
_GROUP_MARKERS = "oDs^vP*X"
NAMED = 20
"""Up to so many classes have their names at points."""


def _title(name: str) -> str:
    return SYMBOLS[name][0].upper() + SYMBOLS[name][1:]


def parameter(run: Run, name: str) -> str:
    """A learned parameter against the class frequency, beside the named losses' values."""
    table, cells, paint = run.parameters[name], run.cells, colours(())
    many, grouped = table.size > 60, cells.shape[1] > 1

    def plot(axes: Axes) -> None:
        order = np.argsort(-cells, axis=None, kind="stable")
        for method, values in run.references[name].items():
            style: dict[str, Any] = {"color": paint[_KIN.get(method, method)], "lw": 1.4, "zorder": 2}
            style["ls"] = "--" if method == "ce" else "-"
            if method in _KIN:  # the gauge of l is one of each group, so its points lie on no common line
                style |= {"ls": "none", "marker": "x", "ms": 6, "mew": 1.6}
            axes.plot(cells.ravel()[order], values.ravel()[order], label=_REFERENCES[method], **style)
        for group in range(table.shape[1]):
            label = "searched" + (f", {short(run.group_names[group])}" if table.shape[1] > 1 else "")
            mark = _GROUP_MARKERS[group % len(_GROUP_MARKERS)]
            size, alpha = (2.5, 0.5) if many else (5.5, 0.9)
            face = paint["searched"] if group % 2 == 0 else "white"
            style = {"ms": size, "alpha": alpha, "mfc": face, "mec": paint["searched"], "color": paint["searched"]}
            at = cells[:, group] if grouped else run.counts
            axes.plot(at, table[:, group], mark, ls="none", label=label, zorder=3, **style)
        count_axis(axes, cells if grouped else run.counts)
        if grouped:
            axes.set_xlabel("training samples of the class in the group (log scale)")
        _value_scale(
            axes, name, np.concatenate([table.ravel(), *(values.ravel() for values in run.references[name].values())])
        )
        axes.set_ylabel(_AXES[name] + (", log scale" if axes.get_yscale() == "log" else ""))
        axes.set_title(_title(name))
        root(axes).legend(
            loc="outside lower center", ncols=3 if table.shape[1] == 1 else 2, columnspacing=1.2, handlelength=1.6
        )
        if table.size <= NAMED:
            points = np.stack([np.broadcast_to(cells, table.shape).ravel(), table.ravel()], 1)
            names = [short(text, 10) for text in run.class_names for _ in range(table.shape[1])]
            label_points(axes, points, names, paint["searched"], points)

    rows = np.ceil((2 + table.shape[1]) / (3 if table.shape[1] == 1 else 2))
    return draw(plot, f"Learned {SYMBOLS[name]} against class frequency", height=3.3 + 0.18 * rows)


def _value_scale(axes: Axes, name: str, values: Array) -> None:
    """Logarithmic where a positive parameter spans more than a decade; with head room for labels."""
    if name != "l" and values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        pad = (values.max() / values.min()) ** 0.1
        axes.set_ylim(values.min() / pad, values.max() * pad)
        plain_ticks(axes.yaxis, values.min() / pad, values.max() * pad)
        return
    centre, half = (values.max() + values.min()) / 2, (values.max() - values.min()) / 2
    half = max(1.2 * half, 0.05)
    axes.set_ylim(centre - half, centre + half)


def curve(run: Run, key: str, title: str, unit: str) -> str:
    """A validation quantity by epoch, the warm-up shaded."""
    values = np.array([as_float(row.get(key)) for row in run.history])

    def plot(axes: Axes) -> None:
        epochs = epochs_of(run)
        if shade(axes, run, epochs):
            axes.annotate("warm-up", (0, 0), (8, 4), "axes fraction", "offset points", fontsize=8, color="#6b5b2e")
        known = np.isfinite(values)
        axes.plot(
            epochs[known], values[known], color=colours(())["searched"], lw=1.8, marker="o" if len(values) < 3 else None
        )
        axes.set_ylabel(unit)
        axes.set_title(title)
        epoch_axis(axes)

    return draw(plot, f"{title} by epoch", height=2.6)


def epochs_of(run: Run) -> Array:
    """The epochs of the history; the place in the file where the numbers do not rise (restarted at the search)."""
    epochs = np.array([as_float(row.get("epoch")) for row in run.history])
    rising = np.isfinite(epochs).all() and (np.diff(epochs) > 0).all()
    return epochs if rising else np.arange(1.0, len(epochs) + 1)


def shade(axes: Axes, run: Run, epochs: Array) -> bool:
    """Shades the warm-up; whether there was one."""
    warm = epochs[[row.get("phase") == "warm-up" for row in run.history]]
    if len(warm):
        axes.axvspan(warm[0] - 0.5, warm[-1] + 0.5, color="#f3ead2", lw=0, zorder=0)
    return len(warm) > 0


def epoch_axis(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
