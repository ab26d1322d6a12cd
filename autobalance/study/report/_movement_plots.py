"""Plots of how the numbers of a loss went in the course of a search. Each gives an ``<svg>`` element, or None."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from autobalance.study.report._ranking import as_float
from autobalance.study.report._run import Array, Run, on_gauge
from autobalance.study.report._search_plots import NAMED, SYMBOLS, epoch_axis, epochs_of, shade
from autobalance.study.report._svg import colours, draw, root, shades

#: Tables that can move, with what their axis says.
TABLES = {"w": "w", "l": "l", "delta": "Δ", "margin": "m"}
#: Single numbers that can move.
NUMBERS = {
    "scale": "scale s",
    "gamma": "focusing exponent γ",
    "csl": "strength λ of CSL",
    "csl_reward": "reward k of CSL",
    "csl_floor": "entropy floor h of CSL",
    "influence": "strength of influence balancing",
    "equalization": "strength of equalization",
}
#: What CSL collects of each class, with its title.
COLLECTED = {"scale": "Semantic scale S", "gamma": "Importance γ in the CSL term"}


def table(run: Run, name: str) -> str | None:
    """How a parameter moved, a line a class; None where the history does not hold it."""
    kept = [place for place, row in enumerate(run.history) if name in (row.get("parameters") or {})]
    tables = [on_gauge(name, _wide(run.history[place]["parameters"][name]), run.cells) for place in kept]
    title = SYMBOLS.get(name, "margin m")
    return _by_class(run, kept, tables, TABLES[name], title)


def collected(run: Run, name: str) -> str | None:
    """How a statistic of CSL went, a line a class (figures 1 and 2 of its paper); None where there is none."""
    kept = [place for place, row in enumerate(run.history) if name in (row.get("csl") or {})]
    return _by_class(run, kept, [_wide(run.history[place]["csl"][name]) for place in kept], name, COLLECTED[name])


def number(run: Run, name: str) -> str | None:
    """How a single number moved; None where the history does not hold it."""
    found = [as_float((row.get("parameters") or {}).get(name)) for row in run.history]
    if not np.isfinite(found).any():
        return None

    def plot(axes: Axes) -> None:
        epochs = epochs_of(run)
        shade(axes, run, epochs)
        axes.plot(epochs, found, color=colours(())["searched"], lw=1.8)
        axes.set_ylabel(NUMBERS[name])
        axes.set_title(NUMBERS[name][0].upper() + NUMBERS[name][1:])
        epoch_axis(axes)

    return draw(plot, f"How the {NUMBERS[name]} moved in the search", height=2.6)


def _wide(value: object) -> Array:
    """A table of the history, (K, G)."""
    found = np.asarray(value, dtype=float)
    return found[:, None] if found.ndim == 1 else found


def _by_class(run: Run, kept: Sequence[int], given: Sequence[Array], axis: str, title: str) -> str | None:
    """A line a class, coloured by frequency, of tables (K, G) at the ``kept`` places of the history."""
    if not kept or any(each.ndim != 2 or len(each) != len(run.counts) for each in given):
        return None
    tables = np.stack(given)
    shown = run.order[np.unique(np.linspace(0, len(run.counts) - 1, min(len(run.counts), NAMED)).astype(int))]

    def plot(axes: Axes) -> None:
        epochs = epochs_of(run)
        shade(axes, run, epochs)
        low, high = max(float(run.counts.min()), 1.0), float(run.counts.max())
        norm = LogNorm(low, high if high > low else low * 1.01)
        ramp = shades("viridis_r")
        for k in shown:
            for group in range(tables.shape[2]):
                style = ("-", "--", ":", "-.")[group % 4]
                colour = ramp(0.08 + 0.92 * float(norm(max(run.counts[k], 1.0))))
                axes.plot(epochs[kept], tables[:, k, group], color=colour, lw=1.2, ls=style)
        bar = root(axes).colorbar(ScalarMappable(norm, ramp), ax=axes, pad=0.02, aspect=25)
        bar.set_ticks([low, high] if high > low else [low])
        bar.ax.minorticks_off()
        bar.ax.set_yticklabels([f"{tick:.0f}" for tick in bar.get_ticks()])
        bar.set_label(f"samples of the {run.index}", labelpad=-6)
        bar.outline.set_visible(False)
        axes.set_ylabel(axis)
        axes.set_title(title[0].upper() + title[1:])
        epoch_axis(axes)

    return draw(plot, f"How the {title} moved in the search", height=2.6)
