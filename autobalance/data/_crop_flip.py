"""The standard augmentation of small images: a random crop after padding, and a random mirror image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_and_flip(x: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Each image shifted by up to ``padding`` pixels each way, zeros moving in, and mirrored half of the time.

    As in the CIFAR recipes since He et al. 2016, section 4.2. Standardised images have mean zero, so that the zeros
    are the mean colour.

    Args:
        x: images, (B, C, H, W).
        generator: draws on the CPU.
        padding: in pixels.
    """
    number, _, height, width = x.shape
    shifts = torch.randint(2 * padding + 1, (2, number), generator=generator).to(x.device)
    mirrored = torch.rand(number, generator=generator).to(x.device) < 0.5
    rows = shifts[0][:, None] + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(number, width)
    columns = shifts[1][:, None] + torch.where(mirrored[:, None], columns.flip(1), columns)
    padded = F.pad(x, [padding] * 4)
    image = torch.arange(number, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
