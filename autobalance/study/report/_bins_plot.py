"""The tables of a regression loss along the target, over the samples of each bin."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from autobalance.study.report._run import Run
from autobalance.study.report._search_plots import SYMBOLS
from autobalance.study.report._svg import colours, draw, plain_ticks, root

_AXES = {"w": "w (mean one), log scale", "l": "l (mean zero)", "delta": "Δ, log scale"}
_LINES = {"inv": "inverse counts", "lds": "LDS", "l1": "no effect"}


def parameter_by_bin(run: Run, name: str) -> str:
    """A searched parameter of each bin, beside its named losses' values; the samples as bars."""
    title = f"{SYMBOLS[name][0].upper() + SYMBOLS[name][1:]} by bin"
    edges = np.array([float(edge) for edge in run.result["bin_edges"]])
    centres, paint = (edges[:-1] + edges[1:]) / 2, colours(("inv", "lds"))
    shades = {"inv": paint["inv"], "lds": paint["lds"], "l1": paint["ce"]}

    def plot(axes: Axes) -> None:
        bars = axes.twinx()
        bars.bar(centres, run.counts, np.diff(edges), color="#dbe4ec", edgecolor="white", linewidth=0.5)
        bars.set_ylabel("training samples of the bin", color="#7d8fa0")
        bars.grid(visible=False)
        bars.spines["right"].set_visible(False)
        axes.set_zorder(bars.get_zorder() + 1)
        axes.patch.set_visible(False)
        for method, values in run.references[name].items():
            style = "--" if method == "l1" else "-"
            axes.plot(centres, values[:, 0], style, color=shades[method], lw=1.4, label=_LINES[method])
        axes.plot(centres, run.parameters[name][:, 0], "o-", ms=4, lw=1, color=paint["searched"], label="searched")
        if name != "l":
            axes.set_yscale("log")
            plain_ticks(axes.yaxis, *axes.get_ylim())
        axes.set_xlabel("target")
        axes.set_ylabel(_AXES[name])
        axes.set_title(title)
        root(axes).legend(loc="outside lower center", ncols=4, columnspacing=1.2, handlelength=1.6)

    return draw(plot, f"Learned {title[0].lower() + title[1:]}, over the samples of each bin", height=3.6)
