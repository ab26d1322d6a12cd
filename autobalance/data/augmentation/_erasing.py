"""A square of the image replaced by its mean colour."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, uniform


def covered(centre: Tensor, half: Tensor, number: int) -> Tensor:
    """The share of each pixel, [j, j + 1] for j = 0 .. number - 1, that the interval centre ± half covers: (B, number).

    Args:
        centre, half: in pixels, (B,).
    """
    begin = torch.arange(number, device=centre.device, dtype=centre.dtype)
    low, high = (centre - half)[:, None], (centre + half)[:, None]
    return (torch.minimum(high, begin + 1) - torch.maximum(low, begin)).clamp(min=0)


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """x + m (x̄ - x), where the soft mask m is the share of a pixel that lies in a square of side μ v times the image's,
    with its centre anywhere in the image: what makes the gradient is the pixels on its edge."""
    size, across, down = draws["erasing"].unbind(1)
    height, width = x.shape[2:]
    half = strengths["erasing"] * size / 2
    columns = covered(width * across, width * half, width)
    rows = covered(height * down, height * half, height)
    mask = rows[:, None, :, None] * columns[:, None, None, :]
    return x + mask * (x.mean((2, 3), keepdim=True) - x)


ERASING = Stage({"erasing": Operation(0.7, "largest side, as a share of the image's", uniform(3))}, _apply)
