"""Images that stay on disk and are decoded batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.data._crops import CropAndFlip, draw_crops
from autobalance.data._decode import as_rgb, height_and_width, in_threads, opened
from autobalance.data._deferred import Deferred

if TYPE_CHECKING:
    from PIL.Image import Image

#: Ends of the names of images.
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
#: Mean and standard deviation of ImageNet's pixels by channel, as nearly all published recipes use them.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IMAGENET_SIZE = 224
#: The shorter side is resized to this many times the side of the square that is then cut out (256 for 224).
_RESIZE = 256 / 224
#: Images that are open at the same time.
_AT_ONCE = 256

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class ImageFiles(Deferred):
    """N images in files, which stand in `Samples` where a tensor (N, 3, S, S) does.

    Only their paths and the current batch are in memory. As many threads decode as there are processor cores, while an
    accelerator works on the batch before.

    Args:
        files: their paths, (N,), strings.
        size: S, the side in pixels.
        centre: True: the shorter side is resized to 256/224 S and the square of S x S in the middle is cut out, as for
            evaluation on ImageNet. False: the whole image is squeezed to S x S.
        mean, scale: of the channels, as shares of 255; what is taken is (pixel / 255 - mean) / scale. Empty where they
            are still to be measured (`standardised`) on the images that will be trained on.
        device, dtype: of the tensors that are taken.
    """

    files: NDArray[Any]
    size: int
    centre: bool
    mean: tuple[float, ...] = IMAGENET[0]
    scale: tuple[float, ...] = IMAGENET[1]
    device: torch.device = _CPU
    dtype: torch.dtype = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.files), 3, self.size, self.size

    def with_files(self, files: NDArray[Any]) -> ImageFiles:
        """Other files, read in the same way."""
        return replace(self, files=files)

    def subset(self, index: NDArray[np.int64] | Tensor) -> ImageFiles:
        """Those at ``index``, undecoded."""
        return self.with_files(self.files[np.asarray(index.cpu() if isinstance(index, Tensor) else index)])

    def join(self, other: ImageFiles) -> ImageFiles:
        return self.with_files(np.concatenate([self.files, other.files]))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> ImageFiles:
        return replace(self, device=torch.device(device), dtype=dtype or self.dtype)

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Tensor:
        """The images at ``index``, (B, 3, S, S), standardised.

        Args:
            index: int64, (B,), any order, repetitions allowed.
            crops: draws from each image what is cut out of it and resized to S x S, and whether it is mirrored, see
                `draw_crops`. None: as for evaluation.

        Raises:
            InputError: a file cannot be decoded.
        """
        pixels = torch.from_numpy(self.pixels(index.cpu().numpy(), crops)).to(self.device)
        mean, scale = (torch.tensor(v, device=self.device, dtype=self.dtype) for v in (self.mean, self.scale))
        return ((pixels.to(self.dtype) / 255 - mean) / scale).permute(0, 3, 1, 2).contiguous()

    def pixels(self, index: NDArray[np.int64], crops: torch.Generator | None = None) -> NDArray[np.uint8]:
        """The images at ``index`` as bytes, (B, S, S, 3); other arguments as in `take`."""
        made = np.empty((len(index), self.size, self.size, 3), dtype=np.uint8)
        for start in range(0, len(index), _AT_ONCE):
            files = self.files[index[start : start + _AT_ONCE]].tolist()
            if crops is None:
                images = in_threads(self._evaluated, files)
            else:
                drawn = draw_crops(list(in_threads(height_and_width, files)), crops)
                images = in_threads(self._cut, list(zip(files, drawn, strict=True)))
            for place, image in enumerate(images, start):
                made[place] = image
        return made

    def standardised(self, most: int = 5000) -> ImageFiles:
        """The same with the mean and standard deviation of these images, of ``most`` of them where there are more."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).round().astype(np.int64))
        total, squares = np.zeros(3), np.zeros(3)
        for part in np.array_split(chosen, -(-len(chosen) // _AT_ONCE)):
            pixels = self.pixels(part).reshape(-1, 3) / 255
            total, squares = total + pixels.sum(0), squares + (pixels**2).sum(0)
        number = len(chosen) * self.size**2
        mean = total / number
        spread = np.sqrt(np.maximum(squares / number - mean**2, 0))
        return replace(self, mean=tuple(mean.tolist()), scale=tuple(np.where(spread > 1e-6, spread, 1.0).tolist()))

    def _evaluated(self, file: str) -> NDArray[np.uint8]:
        with opened(file) as image:
            return np.asarray(self._resized(as_rgb(image)))

    def _resized(self, image: Image) -> Image:
        from PIL.Image import Resampling

        if not self.centre:
            return image.resize((self.size, self.size), Resampling.BILINEAR)
        width, height = image.size
        shorter = round(self.size * _RESIZE)
        factor = shorter / min(width, height)
        wide, high = max(shorter, int(width * factor)), max(shorter, int(height * factor))
        left, top = round((wide - self.size) / 2), round((high - self.size) / 2)
        image = image.resize((wide, high), Resampling.BILINEAR)
        return image.crop((left, top, left + self.size, top + self.size))

    def _cut(self, given: tuple[str, CropAndFlip]) -> NDArray[np.uint8]:
        from PIL.Image import Resampling, Transpose

        file, cut = given
        box = (cut.left, cut.top, cut.left + cut.width, cut.top + cut.height)
        with opened(file) as image:
            part = as_rgb(image).resize((self.size, self.size), Resampling.BILINEAR, box=box)
            return np.asarray(part.transpose(Transpose.FLIP_LEFT_RIGHT) if cut.mirrored else part)


def image_files(paths: Iterable[str | os.PathLike[str]], size: int = IMAGENET_SIZE, centre: bool = True) -> ImageFiles:
    """`ImageFiles` of any paths, for functions that bring their own data."""
    files = np.array([os.fspath(path) for path in paths], dtype=object)
    return ImageFiles(files, size, centre)
