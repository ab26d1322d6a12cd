"""The standard augmentation of large images: a random part of the image, resized, and mirrored half of the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class CropAndFlip(NamedTuple):
    """A part of an image in pixels, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool


def draw_crops(sizes: Sequence[tuple[int, int]], generator: torch.Generator) -> list[CropAndFlip]:
    """For each image a part of 8 to 100 % of its area with sides of 3:4 to 4:3 (Szegedy et al. 2015, as torchvision's
    ``RandomResizedCrop``), mirrored half of the time.

    Args:
        sizes: (height, width) of each image.
        generator: draws on the CPU; torch's own generator is left as it is.
    """
    from torchvision.transforms import v2

    crop = v2.RandomResizedCrop(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        drawn = []
        for size in sizes:
            box = crop.make_params([torch.empty(3, *size, device="meta")])
            drawn.append(CropAndFlip(**box, mirrored=bool(torch.rand(()) < 0.5)))
    return drawn


def resized_crop_and_flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Images in memory, (B, C, H, W), each cut by `draw_crops` and resized to its old size."""
    from torchvision.transforms.v2 import functional as F

    size = [x.shape[2], x.shape[3]]
    cuts = draw_crops([(size[0], size[1])] * len(x), generator)
    made = [
        F.resized_crop(image, cut.top, cut.left, cut.height, cut.width, size, antialias=True)
        for image, cut in zip(x, cuts, strict=True)
    ]
    return torch.stack([image.flip(2) if cut.mirrored else image for image, cut in zip(made, cuts, strict=True)])
