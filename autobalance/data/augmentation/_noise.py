"""Gaussian noise on every pixel or feature."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, normal_each, over


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """x + μ v n, with v uniform in (0, 1) for the sample and n standard normal for each feature."""
    return x + over(strengths["noise"], x) * draws["noise"]


NOISE = Stage({"noise": Operation(0.5, "largest standard deviation, in the unit of the inputs", normal_each)}, _apply)
