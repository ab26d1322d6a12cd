"""Metrics of predicted numbers: over all samples, over bins, and over bins with many, some and few training samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index

#: A bin is many-shot above the first number of training samples, few-shot below the second (Yang et al. 2021).
SHOTS = (100, 20)
#: Stands for an error of exactly zero in the geometric mean, as in the released code.
ZERO = 1e-10


def errors(e: Tensor) -> dict[str, float]:
    """MAE = mean |e|, MSE = mean e² and GM = (∏ |e|)^(1/N), in float64."""
    size = e.double().abs()
    gm = torch.where(size == 0, ZERO, size).log().mean().exp()
    return {"mae": size.mean().item(), "mse": (size**2).mean().item(), "gm": gm.item()}


def regression_metrics(
    prediction: Tensor, target: Tensor, bin_edges: Tensor, bin_counts: Tensor, shots: tuple[int, int] = SHOTS
) -> dict[str, Any]:
    """How far predictions are from targets.

    Args:
        prediction, target: (N,).
        bin_edges: (K + 1,).
        bin_counts: training samples of each bin, (K,).
        shots: a bin is many-shot with more training samples than the first, few-shot with fewer than the second,
            medium-shot otherwise.

    Returns:
        plain values, None where there is no sample: ``mae``, ``mse``, ``gm`` as in `errors`; ``balanced_mae``, the mean
        over the bins with samples of the bin's MAE; ``pearson`` and ``spearman`` correlation (None where one side is
        constant); ``bin_mae``, (K,); ``shots``, for ``many``, ``medium`` and ``few``: ``mae``, ``mse``, ``gm``,
        ``samples``.

    Raises:
        InputError (a ValueError): thresholds out of order.
    """
    if not shots[0] >= shots[1] >= 0:
        raise InputError(f"shots are {shots}: many-shot begins above the first, few-shot below the second, for example "
                         f"{SHOTS}")  # fmt: skip
    prediction, target, bin_counts = (t.detach().cpu().double().flatten() for t in (prediction, target, bin_counts))
    e, bins = prediction - target, bin_index(target, bin_edges.cpu())
    number = bins.bincount(minlength=len(bin_counts)).double()
    bin_mae = bins.bincount(e.abs(), minlength=len(bin_counts)) / number
    of_sample = bin_counts[bins]
    parts = {
        "many": of_sample > shots[0],
        "medium": (of_sample <= shots[0]) & (of_sample >= shots[1]),
        "few": of_sample < shots[1],
    }
    return {
        **errors(e),
        "balanced_mae": bin_mae.nanmean().item(),
        **_correlations(prediction, target),
        "bin_mae": [value if n else None for value, n in zip(bin_mae.tolist(), number, strict=True)],
        "shots": {
            name: {**(errors(e[part]) if part.any() else _NOTHING), "samples": int(part.sum())}
            for name, part in parts.items()
        },
    }


_NOTHING = {"mae": None, "mse": None, "gm": None}


def _correlations(prediction: Tensor, target: Tensor) -> dict[str, float | None]:
    from scipy import stats

    if len(target) < 2 or prediction.min() == prediction.max() or target.min() == target.max():
        return {"pearson": None, "spearman": None}
    x, y = prediction.numpy(), target.numpy()
    return {"pearson": float(stats.pearsonr(x, y).statistic), "spearman": float(stats.spearmanr(x, y).statistic)}
