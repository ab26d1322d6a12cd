"""Images in files, read as those of the training were."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from autobalance.common import InputError
from autobalance.data._image_files import SUFFIXES, ImageFiles, image_files
from autobalance.data.encoders._encoder import Encoder, Kept


@dataclass(frozen=True)
class ImageEncoder(Encoder):
    """Images of one size, standardised by channel.

    Args:
        size, centre, mean, scale: as in `ImageFiles`.
    """

    kind: ClassVar[str] = "images"
    takes: ClassVar[str] = "an image, or a folder of images"

    size: int
    centre: bool
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, images: ImageFiles) -> ImageEncoder:
        """As the training images are read; their mean and standard deviation are measured where they have none yet."""
        measured = images if images.mean else images.standardised()
        return cls(measured.size, measured.centre, measured.mean, measured.scale)

    def read(self, source: str) -> list[str]:
        place = Path(source)
        if place.is_file():
            return [source]
        found = sorted(str(path) for path in place.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not found:
            raise InputError(f"{source} is not {self.takes} ({', '.join(SUFFIXES)})")
        return found

    def encode(self, data: Iterable[str | os.PathLike[str]] | ImageFiles) -> ImageFiles:
        images = data if isinstance(data, ImageFiles) else image_files(data)
        return ImageFiles(images.files, self.size, self.centre, self.mean, self.scale)

    def names(self, data: Any) -> list[str]:
        return [os.fspath(path) for path in data]

    def kept(self) -> Kept:
        settings = {"size": self.size, "centre": self.centre, "mean": list(self.mean), "scale": list(self.scale)}
        return Kept({"kind": self.kind, **settings}, {})

    @classmethod
    def made_of(cls, kept: Kept) -> ImageEncoder:
        settings = kept.settings
        mean, scale = (tuple(float(number) for number in settings[name]) for name in ("mean", "scale"))
        return cls(int(settings["size"]), bool(settings["centre"]), mean, scale)
