"""Shift, rotation, scale and shear of images, in one resampling."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, signed


def sample_bilinear(x: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Each pixel taken from ``right`` and ``down`` of its place, between pixels by bilinear interpolation.

    Places beyond the border take the border's value. Where ``right`` and ``down`` are 0 the pixel is as it was, bit for
    bit, which ``torch.nn.functional.grid_sample`` does not promise; and it is made of operations that can be
    differentiated any number of times, in either mode.

    Args:
        x: images, (B, C, H, W).
        right, down: displacements in pixels, (B, H, W).
    """
    height, width = x.shape[2:]
    column = torch.arange(width, device=x.device, dtype=x.dtype)
    row = torch.arange(height, device=x.device, dtype=x.dtype)[:, None]
    at_x, at_y = (column + right).clamp(0, width - 1), (row + down).clamp(0, height - 1)
    x0, y0 = at_x.detach().floor(), at_y.detach().floor()
    part_x, part_y = (at_x - x0)[:, None], (at_y - y0)[:, None]
    x0, y0 = x0.long(), y0.long()
    x1, y1 = (x0 + 1).clamp(max=width - 1), (y0 + 1).clamp(max=height - 1)
    flat = x.flatten(2)

    def take(rows: Tensor, columns: Tensor) -> Tensor:
        index = (rows * width + columns).flatten(1)[:, None].expand(-1, x.shape[1], -1)
        return flat.gather(2, index).view_as(x)

    top, bottom = take(y0, x0), take(y1, x0)
    top = top + part_x * (take(y0, x1) - top)
    bottom = bottom + part_x * (take(y1, x1) - bottom)
    return top + part_y * (bottom - top)


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """A pixel at p from the centre is taken from A p + t with A = e^z R(φ) [[1, h], [0, 1]]."""
    zero = x.new_zeros(len(x))

    def amount(name: str, place: int = 0) -> Tensor:
        return strengths[name] * draws[name][:, place] if name in strengths else zero

    height, width = x.shape[2:]
    angle, shear, factor = torch.deg2rad(amount("rotation")), amount("shear"), amount("scale").exp()
    cos, sin = angle.cos(), angle.sin()
    right = factor * cos - 1, factor * (cos * shear - sin), width * amount("shift", 0)
    down = factor * sin, factor * (sin * shear + cos) - 1, height * amount("shift", 1)
    columns = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] - (height - 1) / 2

    def displacement(of_column: Tensor, of_row: Tensor, constant: Tensor) -> Tensor:
        return of_column[:, None, None] * columns + of_row[:, None, None] * rows + constant[:, None, None]

    return sample_bilinear(x, displacement(*right), displacement(*down))


#: shift: t = μ (u₁ W, u₂ H); rotation: φ = μ u degrees; scale: z = μ u; shear: h = μ u; all u uniform in (-1, 1).
GEOMETRY = Stage(
    {
        "shift": Operation(0.3, "largest shift, as a share of the side", signed(2)),
        "rotation": Operation(30.0, "largest angle in degrees", signed(1)),
        "scale": Operation(0.4, "largest logarithm of the factor", signed(1)),
        "shear": Operation(0.4, "largest shear, columns a row", signed(1)),
    },
    _apply,
)
