"""One image in a file as RGB with 8 bits a channel: upright, on a white ground, whatever its depth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from autobalance.common import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

#: What is seen through transparent pixels.
GROUND = (255, 255, 255, 255)
#: The Exif tag of the orientation, and those of its values with which width and height change places.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
#: 16 bits over 8: white stays white.
_DEPTH = 65535 / 255

Item = TypeVar("Item")
Made = TypeVar("Made")


@contextmanager
def opened(file: str) -> Iterator[Image]:
    """The image in a file, undecoded.

    Raises:
        InputError: it cannot be read, now or within the context; with the file.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image, repair or remove it: {error}") from error


def as_rgb(image: Image) -> Image:
    """An image as cameras and programs show it: turned as its Exif orientation says, transparent pixels on white, grey
    of 16 bits scaled to 8.

    Args:
        image: opened; of several frames the first is taken.

    Raises:
        ValueError: its pixels are floats, or integers beyond 16 bits, whose range nobody knows.
    """
    from PIL import Image, ImageOps

    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"its pixels go from {values.min()} to {values.max()}: save it with 8 or 16 bits")
        image = Image.fromarray((values / _DEPTH).round().astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floats, whose range is not known: save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, GROUND), image.convert("RGBA"))
    return image.convert("RGB")


def height_and_width(file: str) -> tuple[int, int]:
    """Of the upright image, from the header: the pixels stay in the file."""
    with opened(file) as image:
        lying = image.getexif().get(_ORIENTATION, 1) in _LYING
        return (image.width, image.height) if lying else (image.height, image.width)


def fault_of(file: str) -> str | None:
    """Why a file cannot be read as an image, None where it can. Of a JPEG all is read, and an eighth decoded."""
    try:
        with opened(file) as image:
            image.draft("RGB", (1, 1))
            as_rgb(image)
    except InputError as error:
        return " ".join(str(error.__cause__).split())
    return None


def in_threads(work: Callable[[Item], Made], items: Sequence[Item]) -> Iterable[Made]:
    """``work`` on each of the items, in their order, in as many threads as there are processor cores."""
    return _pool(os.getpid()).map(work, items)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of this process; a forked process has none of its parent's."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
