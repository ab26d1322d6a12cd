"""Pictures on grounds that mislead, in the way of Waterbirds (Sagawa et al. 2020) and ColoredMNIST (Arjovsky et al.
2019): in training the ground mostly tells the class, in the test split it does not. The groups are the grounds."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError, nearest
from autobalance.data._arrays import Arrays, channels_first
from autobalance.data._image_files import ImageFiles

Pictures = NDArray[Any]


def negative(pictures: Pictures, ground: int, grounds: int, largest: float) -> Pictures:
    """The pictures as they are on ground 0, their negatives on ground 1."""
    return (largest - pictures).astype(pictures.dtype) if ground else pictures


def frame(pictures: Pictures, ground: int, grounds: int, largest: float) -> Pictures:
    """A frame around each picture, a tenth of its height wide, in one of G shades from black to white."""
    framed, width = pictures.copy(), max(1, pictures.shape[1] // 10)
    shade = round(largest * ground / (grounds - 1))
    for side in (np.s_[:, :width], np.s_[:, -width:], np.s_[:, :, :width], np.s_[:, :, -width:]):
        framed[side] = shade
    return framed


def colour(pictures: Pictures, ground: int, grounds: int, largest: float) -> Pictures:
    """Black becomes one of G colours of the rainbow, at half of full brightness: x + (max - x) colour, three
    channels."""
    tint = np.array(colorsys.hsv_to_rgb(ground / grounds, 1.0, 0.5))
    of_channels = pictures if pictures.ndim == 4 else pictures[..., None]
    return np.rint(of_channels + (largest - of_channels) * tint).astype(pictures.dtype)


#: What a ground does to pictures, (N, H, W) or (N, H, W, C), given with the ground, G and the largest value.
KINDS: Mapping[str, Callable[[Pictures, int, int, float], Pictures]] = {
    "negative": negative,
    "frame": frame,
    "colour": colour,
}


@dataclass(frozen=True)
class Grounds:
    """Which grounds there are, and how often a class is on its own.

    Class k of K has the ground ⌊k G / K⌋ as its own. A share 1 / (1 + ρ) of its training samples is on the others.

    Args:
        kind: one of `KINDS`.
        number: G, at least two; of negatives there are just two.
        ratio: ρ, samples on the class's own ground over all others, at least 1. 19 in Waterbirds.

    Raises:
        InputError: a value that cannot be.
    """

    kind: str
    number: int = 2
    ratio: float = 10.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"no `ground` is called {self.kind!r}; there are {', '.join(KINDS)}{nearest(self.kind, KINDS)}"
            )
        if self.number < 2 or (self.kind == "negative" and self.number > 2):
            of_them = "are always two" if self.kind == "negative" else "must be two or more"
            raise InputError(f"`ground` {self.kind}:{self.number}: grounds of this kind {of_them}")
        if not 1 <= self.ratio < float("inf"):
            raise InputError(
                f"`ground_ratio` {self.ratio:g} is below 1: it is samples on the usual ground over the others"
            )

    @classmethod
    def of(cls, text: str, ratio: float) -> Grounds:
        """From ``KIND`` or ``KIND:G``."""
        kind, colon, number = text.partition(":")
        if colon and not number.isdecimal():
            raise InputError(f"`ground` {text}: give a kind, or KIND:NUMBER of grounds, such as colour:3")
        return cls(kind, int(number) if colon else 2, ratio)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the groups."""
        if self.kind == "negative":
            return "as it is", "negative"
        return tuple(f"{self.kind} {place + 1}" for place in range(self.number))

    def misleading(self, part: Arrays, generator: np.random.Generator) -> Arrays:
        """Training samples: most of each class on its own ground."""
        return self.put(part, self._own(part.y), part.y, 1 / (1 + self.ratio), generator)

    def even(self, part: Arrays, generator: np.random.Generator) -> Arrays:
        """Test samples: of each class as many on any ground."""
        return self.put(part, self._own(part.y), part.y, 1 - 1 / self.number, generator)

    def _own(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        return y * self.number // (int(y.max()) + 1)

    def put(
        self,
        part: Arrays,
        own: NDArray[np.int64],
        strata: NDArray[np.int64],
        share: float,
        generator: np.random.Generator,
    ) -> Arrays:
        """Samples on grounds, which become their groups.

        Args:
            part: pictures (N, H, W) or (N, H, W, C), without groups.
            own: the usual ground of each sample, (N,).
            strata: (N,); of each the same share is put on another ground.
            share: of samples on another ground, spread evenly over those.
            generator: draws them.

        Raises:
            InputError: no pictures, or groups that are there already.
        """
        if part.group is not None:
            raise InputError("`ground` has no effect: the data have groups already")
        if isinstance(part.x, ImageFiles):
            raise InputError("`ground` needs images that are held in memory: write them to a .npz file")
        if np.ndim(part.x) < 3:
            raise InputError(f"`ground` needs images, but the samples are of shape {part.x.shape[1:]}")
        group = own.copy()
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            others = generator.choice(members, size=round(share * len(members)), replace=False)
            group[others] = (group[others] + 1 + np.arange(len(others)) % (self.number - 1)) % self.number
        pictures = part.x if part.x.ndim == 3 else np.moveaxis(channels_first(part.x), 1, 3)
        if pictures.min() < 0:
            raise InputError(f"`ground` needs images with values from 0 up, but {pictures.min():g} is among them")
        largest, on = float(pictures.max()), {}
        for ground in np.unique(group).tolist():
            on[ground] = KINDS[self.kind](pictures[group == ground], ground, self.number, largest)
        x = np.empty((len(group), *next(iter(on.values())).shape[1:]), pictures.dtype)
        for ground, moved in on.items():
            x[group == ground] = moved
        return replace(part, x=x, group=group)
