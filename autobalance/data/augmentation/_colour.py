"""Brightness, contrast and saturation of images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, over, signed


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """One after the other: x + μ u; then the distance from the image's mean, then that from each pixel's grey, times
    e^(μ u)."""

    def amount(name: str) -> Tensor:
        return over(strengths[name] * draws[name][:, 0], x)

    if "brightness" in strengths:
        x = x + amount("brightness")
    if "contrast" in strengths:
        x = x + amount("contrast").expm1() * (x - x.mean((1, 2, 3), keepdim=True))
    if "saturation" in strengths:
        x = x + amount("saturation").expm1() * (x - x.mean(1, keepdim=True))
    return x


COLOUR = Stage(
    {
        "brightness": Operation(0.8, "largest step, in the unit of the inputs", signed(1)),
        "contrast": Operation(0.8, "largest logarithm of the factor", signed(1)),
        "saturation": Operation(1.0, "largest logarithm of the factor", signed(1)),
    },
    _apply,
)
