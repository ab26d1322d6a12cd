"""The weights of a regression loss along the target, over the samples of each bin."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from autobalance.report._run import Run
from autobalance.report._svg import colours, draw, plain_ticks, root

_LINES = {"inv": "inverse counts", "lds": "LDS", "l1": "no effect"}


def weights_by_bin(run: Run) -> str:
    """The searched w of each bin, beside inverse weighting and label-distribution smoothing; the samples as bars."""
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
        for method, values in run.references["w"].items():
            style = "--" if method == "l1" else "-"
            axes.plot(centres, values[:, 0], style, color=shades[method], lw=1.4, label=_LINES[method])
        axes.plot(centres, run.parameters["w"][:, 0], "o-", ms=4, lw=1, color=paint["searched"], label="searched")
        axes.set_yscale("log")
        plain_ticks(axes.yaxis, *axes.get_ylim())
        axes.set_xlabel("target")
        axes.set_ylabel("w (mean one), log scale")
        axes.set_title("Weight w by bin")
        root(axes).legend(loc="outside lower center", ncols=4, columnspacing=1.2, handlelength=1.6)

    return draw(plot, "Learned weight w by bin, over the samples of each bin", height=3.6)
