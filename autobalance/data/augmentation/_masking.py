"""Some of a table row's features set to 0, their mean."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, over, uniform_each

#: Share of the features over which the mask goes from whole to nothing.
SOFTNESS = 0.1


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """(1 - m) x with the soft mask m = (μ - r) / 0.1, held within 0 and 1, and r uniform in (0, 1) for each feature."""
    mask = ((over(strengths["masking"], x) - draws["masking"]) / SOFTNESS).clamp(0, 1)
    return x - mask * x


MASKING = Stage({"masking": Operation(0.5, "largest share of the features", uniform_each)}, _apply)
