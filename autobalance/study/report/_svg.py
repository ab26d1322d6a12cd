"""Small matplotlib figures as inline SVG, in one style. The only place that touches matplotlib's settings."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from autobalance.study.report._theme import with_named_colours

Array = NDArray[np.float64]
WIDTH = 4.6
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "text.color": "#1c2026",
    "axes.labelcolor": "#1c2026",
    "axes.titlecolor": "#1c2026",
    "axes.edgecolor": "#8a8f98",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e8eaee",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#4a4f57",
    "ytick.color": "#4a4f57",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
# Okabe and Ito's palette first (safe for the colour-blind); the same method has the same colour on every plot.
_COLOURS = {"searched": "#0072B2", "ce": "#6E6E6E", "la": "#E69F00", "cdt": "#009E73", "weighted": "#CC79A7"}
_MARKERS = {"searched": "o", "ce": "s", "la": "D", "cdt": "^", "weighted": "v"}
_MORE = ("#D55E00", "#56B4E9", "#332288", "#882255", "#8C6D31", "#44AA99", "#999933", "#000000")


def colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour for each method: the known ones' own, the others' in the order of their names."""
    others = sorted(set(methods) - set(_COLOURS))
    return {**_COLOURS, **{name: _MORE[place % len(_MORE)] for place, name in enumerate(others)}}


def marker(method: str) -> str:
    """A marker for a method, so that colour is never the only sign."""
    return _MARKERS.get(method, "P")


def shades(name: str) -> Colormap:
    """A colour map of matplotlib in so few steps that its bar is drawn as paths, whose colours a dark page changes."""
    return colormaps[name].resampled(32)


def draw(plot: Callable[[Axes], None], label: str, height: float = 3.1) -> str:
    """Calls ``plot`` on fresh axes and returns an ``<svg>`` element that says ``label`` to a screen reader."""
    settings: Any = {**STYLE, "svg.hashsalt": label}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        plot(figure.add_subplot())
        _settle(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return with_named_colours(_inline(text.getvalue(), label))


def root(axes: Axes) -> Figure:
    """The figure of some axes."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _settle(figure: Figure) -> None:
    """Lays the figure out once and keeps it so: each further layout costs as much as drawing."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _inline(svg: str, label: str) -> str:
    """Without prologue, metadata and the ids that nothing refers to, which would repeat from plot to plot."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    used = set(re.findall(r"#([\w-]+)[\")]", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match.group(0) if match.group(1) in used else "", svg)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg, count=2).replace("xlink:href", "href")
    svg = re.sub(r'(<svg) width="[^"]*" height="[^"]*"|(<svg)', r"\1\2", svg, count=1)
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1)


def short(name: str, length: int = 14) -> str:
    """A label of limited length that keeps both ends, where names tend to differ."""
    return name if len(name) <= length else f"{name[: length // 2]}…{name[length // 2 + 1 - length :]}"


def count_axis(axes: Axes, counts: Array) -> None:
    """A logarithmic x axis of sample counts with plain 1-2-5 ticks."""
    low, high = float(counts.min()), float(counts.max())
    axes.set_xscale("log")
    pad = max((high / low) ** 0.08, 1.08)
    axes.set_xlim(low / pad, high * pad)
    plain_ticks(axes.xaxis, low / pad, high * pad)
    axes.set_xlabel("training samples of the class (log scale)")


def plain_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 times powers of ten on a logarithmic axis, written out; at powers of ten where many."""
    steps = [digit * 10.0**power for power in range(-9, 10) for digit in (1, 2, 5)]
    ticks = [tick for tick in steps if low <= tick <= high]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    axis.set_major_locator(FixedLocator(ticks if len(ticks) > 1 else [low, high]))
    axis.set_major_formatter(lambda tick, _: f"{tick:,.0f}".replace(",", " ") if tick >= 10 else f"{tick:.3g}")
    axis.set_minor_locator(NullLocator())


def label_points(axes: Axes, points: Array, names: Sequence[str], colour: str, obstacles: Array) -> None:
    """Writes a name at each of ``points`` (N, 2), clear of all ``obstacles`` (M, 2) and other names where it can be."""
    figure = root(axes)
    _settle(figure)
    scale = figure.dpi / 72
    places = axes.transData.transform(points) / scale
    frame = axes.get_window_extent()
    left, right = frame.x0 / scale, frame.x1 / scale
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in axes.transData.transform(obstacles) / scale]
    for (x, y), point, name in zip(places, points, names, strict=True):
        width, best = 4.9 * len(name), None
        for dx, dy in _offsets(width):
            box = (x + dx - width / 2, y + dy - 4, x + dx + width / 2, y + dy + 4)
            cost = sum(_overlap(box, other) for other in taken) + 9 * (box[0] < left or box[2] > right)
            if best is None or cost < best[0]:
                best = (cost, dx, dy, box)
        assert best is not None
        _, dx, dy, box = best
        taken.append(box)
        far = abs(dy) > 12
        axes.annotate(
            name,
            (float(point[0]), float(point[1])),
            (dx, dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=7.5,
            color=colour,
            in_layout=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6} if far else None,
        )


def _offsets(width: float) -> list[tuple[float, float]]:
    side = width / 2 + 6
    near = [(0.0, 9.0), (0.0, -9.0), (side, 0.0), (-side, 0.0), (side, 7.0), (-side, 7.0), (side, -7.0), (-side, -7.0)]
    return near + [(dx, dy) for dy in (20.0, -20.0, 31.0, -31.0) for dx in (0.0, side, -side)]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
