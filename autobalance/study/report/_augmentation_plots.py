"""Plots of the augmentation that was found. Each gives an ``<svg>`` element, or None without its input."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from autobalance.data.augmentation import OPERATIONS
from autobalance.study.report._run import Array, Run
from autobalance.study.report._svg import draw, root, shades, short


def policy(run: Run) -> str | None:
    """Each operation's mean strength, probability times strength, as a share of its largest, by class."""
    found = run.policy
    if found is None:
        return None
    largest = np.array([OPERATIONS[found.kind][name].largest for name in found.operations])
    expected = (found.probability * found.strength).double().numpy() / largest
    if expected.ndim == 3:  # the mean over the groups
        expected = expected.mean(1)
    shown = 100 * expected[run.order].T

    def plot(axes: Axes) -> None:
        scale = Normalize(0, max(50.0, float(shown.max())))
        axes.pcolormesh(
            shown, cmap=shades("Blues"), norm=scale, edgecolors="white", linewidth=1 if len(run.order) <= 40 else 0
        )
        axes.grid(False)
        axes.invert_yaxis()
        axes.set_yticks(np.arange(len(found.operations)) + 0.5, found.operations)
        if len(run.order) <= 12:
            names = [short(run.class_names[k], 8) for k in run.order]
            axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=45 if max(map(len, names)) > 3 else 0)
            for (row, column), value in np.ndenumerate(shown):
                dark = value > 0.6 * float(scale.vmax or 1.0)
                colour = "white" if dark else "#1c2026"
                axes.text(column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)
        else:
            axes.set_xticks([0.5, len(run.order) - 0.5], ["most frequent", "rarest"])
        axes.tick_params(length=0)
        axes.set_xlabel("classes, most frequent first")
        bar = root(axes).colorbar(ScalarMappable(scale, shades("Blues")), ax=axes, pad=0.02, aspect=25)
        bar.outline.set_visible(False)
        axes.set_title("Mean strength, % of the largest")

    return draw(plot, "Mean strength of each operation by class", height=0.9 + 0.26 * len(found.operations))


def samples(run: Run) -> str | None:
    """A training image of a few classes, and what the policy makes of it."""
    if run.augmented is None:
        return None
    classes, originals, copies = run.augmented
    everything = np.concatenate([originals[:, None], copies], 1)  # classes, columns, colours, height, width
    low, high = float(originals.min()), float(originals.max())
    everything = ((everything - low) / max(high - low, 1e-6)).clip(0, 1)
    picture, pitch = _mosaic(everything)

    def plot(axes: Axes) -> None:
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.grid(False)
        for side in axes.spines.values():
            side.set_visible(False)
        half = pitch / 2
        names = [f"{short(run.class_names[k], 10)}\n{run.counts[k]:.0f}" for k in classes]
        axes.set_yticks([half + pitch * row for row in range(len(classes))], names)
        axes.set_xticks([half, half + pitch * (1 + copies.shape[1]) / 2], ["original", "as it is trained on"])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)

    rows, columns = everything.shape[:2]
    return draw(plot, "Training images and their augmented copies", height=0.35 + 4.0 * rows / columns)


def _mosaic(images: Array) -> tuple[Array, int]:
    """Images (R, C, colours, H, W) beside and below one another on white, and the distance from one to the next."""
    rows, columns, colours, height, width = images.shape
    pitch = max(height, width) + max(1, width // 16)
    picture = np.ones((rows * pitch, columns * pitch, 3))
    for row in range(rows):
        for column in range(columns):
            pixels = images[row, column] if colours == 3 else np.repeat(images[row, column, :1], 3, 0)
            top, left = row * pitch, column * pitch
            picture[top : top + height, left : left + width] = pixels.transpose(1, 2, 0)
    return picture, pitch
