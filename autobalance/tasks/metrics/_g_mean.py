"""One less the geometric mean of the recalls (Kubat and Matwin 1997)."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._metric import Metric
from autobalance.tasks.metrics._registry import register


def g_mean(matrix: Confusion) -> Tensor:
    """1 - (∏ recall)^(1/C) of the C classes that have samples."""
    recalls = matrix.recalls
    mean = recalls.clamp_min(torch.finfo(recalls.dtype).tiny).log().mean().exp()
    return 1 - torch.where((recalls > 0).all(), mean, 0)


register(
    Metric(
        "g_mean_error",
        "1 - G-mean",
        "1 - G-mean: one less the geometric mean of the classes' recalls.",
        option="g_mean",
        score=True,
        column=False,
        **of_confusion(g_mean),
    )
)
