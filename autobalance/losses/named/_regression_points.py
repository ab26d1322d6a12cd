"""The named fixed losses for regression, from the bins of the training targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import (
    bin_index,
    check_edges,
    fill_empty,
    lds_weights,
    make_bin_edges,
    normalise,
)
from autobalance.losses import RegressionLoss

# Bin counts (K,) in float64 and hyper-parameters -> parameters of `RegressionLoss`. A bin without training samples,
# which a later sample may fall into, has the weight of the nearest bin that has some.


def l1(bin_counts: Tensor) -> dict[str, Any]:
    """The absolute error."""
    return {"error": "l1"}


def mse(bin_counts: Tensor) -> dict[str, Any]:
    """The squared error."""
    return {"error": "mse"}


def huber(bin_counts: Tensor, threshold: float = 1.0) -> dict[str, Any]:
    """Huber's error: square up to ``threshold``, then linear (the released code calls the threshold beta)."""
    return {"error": "huber", "threshold": threshold}


def inv(bin_counts: Tensor, clip: tuple[float, float] = (5.0, 1000.0)) -> dict[str, Any]:
    """w_b ∝ 1 / n_b, the counts clipped as in the released code of Yang et al. 2021."""
    if not 0 < clip[0] <= clip[1]:
        raise InputError(f"clip is {clip}; it is the smallest and the largest count, both above 0")
    return {"w": 1 / bin_counts.clamp(*clip)}


def sqinv(bin_counts: Tensor) -> dict[str, Any]:
    """w_b ∝ 1 / √n_b."""
    return {"w": bin_counts.clamp_min(1).rsqrt()}


def lds(
    bin_counts: Tensor,
    kernel: str = "gaussian",
    ks: int = 5,
    sigma: float = 2.0,
    reweight: str = "sqrt_inv",
    clip: tuple[float, float] = (5.0, 1000.0),
) -> dict[str, Any]:
    """w_b ∝ 1 / p̃_b, see `lds_weights`."""
    return {"w": lds_weights(bin_counts, kernel, ks, sigma, reweight, clip)}


def focal_r(bin_counts: Tensor, beta: float = 0.2, gamma: float = 1.0) -> dict[str, Any]:
    """Focal-R: (2 sigmoid(β|e|) - 1)^γ times the error (Yang et al. 2021, section 4)."""
    return {"beta": beta, "gamma": gamma}


def balanced_mse(bin_counts: Tensor, noise_sigma: float = 1.0) -> dict[str, Any]:
    """Balanced MSE in its batch form (Ren et al. 2022, batch-based Monte Carlo)."""
    return {"error": "balanced-mse", "noise_sigma": noise_sigma}


POINTS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "l1": l1,
    "mse": mse,
    "huber": huber,
    "inv": inv,
    "sqinv": sqinv,
    "lds": lds,
    "focal-r": focal_r,
    "balanced-mse": balanced_mse,
}
#: Defaults where errors are measured in standard deviations of the target, as the commands do. The released σ of 1 is
#: one year of age; a whole standard deviation hardly learns. 0.2 did best of 0.05 to 1 on validation samples of two
#: data sets (diabetes, bike sharing).
IN_DEVIATIONS: Mapping[str, Mapping[str, Any]] = {"balanced-mse": {"noise_sigma": 0.2}}


def regression_point(
    name: str,
    *,
    bin_counts: Tensor | Sequence[float] | None = None,
    targets: Tensor | Sequence[float] | None = None,
    bin_edges: Tensor | Sequence[float] | None = None,
    error: str | None = None,
    weight: Tensor | Sequence[float] | None = None,
    scale: float = 1.0,
    reduction: str | None = None,
    dtype: torch.dtype | None = None,
    hyper: Mapping[str, Any],
) -> RegressionLoss:
    """A published regression loss by its name; weights have mean one over the training samples.

    Args:
        name: one of `POINTS`.
        bin_counts: training samples of each bin, (K,); or
        targets: the training targets themselves, (N,).
        bin_edges: (K + 1,); by default those of `make_bin_edges` for ``targets``, and 0, 1, ..., K for ``bin_counts``,
            as for ages in years.
        error: of the losses that only weight, ``l1`` (the default), ``mse`` or ``huber``.
        weight: overrides w, (K,).
        scale: what errors are measured in, see `RegressionLoss`.
        reduction: ``batch_mean`` where left out, as released.
        dtype: of the loss.
        hyper: the loss's own hyper-parameters.

    Raises:
        InputError (a ValueError): neither or both of counts and targets, an unknown hyper-parameter, or values that
            cannot be.
    """
    counts, edges = _bins(bin_counts, targets, bin_edges)
    parameters = POINTS[name](counts, **hyper)
    if error is not None and "error" in parameters:
        raise InputError(f"error has no effect on {name}, whose error is {parameters['error']}; leave it out")
    if error is not None and error not in ("l1", "mse", "huber"):
        raise InputError(f"error is {error!r}; choose l1, mse or huber")
    if "w" in parameters:
        parameters["w"] = normalise(fill_empty(parameters["w"], counts), counts)
    if weight is not None:
        parameters["w"] = torch.as_tensor(weight)
    settings = {"error": error or "l1", **parameters}
    return RegressionLoss(edges, **settings, scale=scale, reduction=reduction or "batch_mean", dtype=dtype)


def _bins(
    bin_counts: Tensor | Sequence[float] | None,
    targets: Tensor | Sequence[float] | None,
    bin_edges: Tensor | Sequence[float] | None,
) -> tuple[Tensor, Tensor]:
    """Counts and edges, both float64."""
    if (bin_counts is None) == (targets is None):
        raise InputError("a regression loss needs either bin_counts= or targets=, the training targets")
    if targets is not None:
        values = torch.as_tensor(targets).detach().cpu().double().flatten()
        edges = make_bin_edges(values) if bin_edges is None else check_edges(bin_edges)
        return torch.bincount(bin_index(values, edges), minlength=len(edges) - 1).double(), edges
    counts = torch.as_tensor(bin_counts, dtype=torch.float64).detach().cpu()
    if counts.dim() != 1 or not torch.isfinite(counts).all() or (counts < 0).any() or not counts.sum() > 0:
        raise InputError(f"bin_counts must be one count of at least 0 a bin, not all 0, got {counts.tolist()}")
    edges = check_edges(torch.arange(len(counts) + 1) if bin_edges is None else bin_edges)
    if len(edges) != len(counts) + 1:
        raise InputError(f"{len(counts)} bin_counts need {len(counts) + 1} bin_edges, got {len(edges)}")
    return counts, edges
