"""The family of regression losses: the table over classes becomes one over bins of the target.

For a prediction ``f`` of target ``y`` in bin ``b``, with the error e = (f - y) / s

    loss = w_b tanh(β|e| / 2)^γ ρ(e),    ρ(e) = |e| (l1), e² (mse), Huber's (huber)

and for ``balanced-mse``, with the targets y_j of the whole batch as candidates

    z_j  = -((f - y_j) / s)² / 2σ²
    loss = 2σ² · w_b (-log softmax_j(Δ_b(j) z_j + l_b(j)))_y

which is the classification family of ``parametric_loss``, its classes being the candidates.

Sources: w: Yang et al. 2021 (Deep Imbalanced Regression); focal-R, 2 sigmoid(β|e|) - 1 = tanh(β|e| / 2): its section
4; balanced MSE: Ren et al. 2022, batch-based Monte Carlo form.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.losses._base import full_precision, reduce
from autobalance.losses._family import parametric_loss

ERRORS = ("l1", "mse", "huber", "balanced-mse")
#: Each parameter with its value where nothing is said. The tables are over bins.
REGRESSION_DEFAULTS: Mapping[str, float] = {
    "w": 1.0,
    "l": 0.0,
    "delta": 1.0,
    "scale": 1.0,
    "gamma": 0.0,
    "beta": 0.2,
    "threshold": 1.0,
    "noise_sigma": 1.0,
}
REGRESSION_TABLES = ("w", "l", "delta")


def regression_loss(
    prediction: Tensor,
    target: Tensor,
    bins: Tensor,
    parameters: Mapping[str, Tensor],
    error: str = "l1",
    reduction: str = "batch_mean",
) -> Tensor:
    """The family as a function, differentiable in the predictions and in every parameter.

    Args:
        prediction: (B,). Half precision is taken to float32 first.
        target: (B,), float.
        bins: (B,), int64, the bin of each target.
        parameters: any of `REGRESSION_DEFAULTS`; what is absent has its default. ``l`` and ``delta`` are for
            ``balanced-mse``, ``gamma`` is for the others.
        error: one of `ERRORS`.
        reduction: see `reduce`.

    Returns:
        a scalar, or (B,) for ``reduction="none"``.
    """
    scale = parameters.get("scale")
    f, y = full_precision(prediction), target.to(full_precision(prediction).dtype)
    if scale is not None:
        f, y = f / scale, y / scale
    if error == "balanced-mse":
        sigma = parameters.get("noise_sigma", torch.ones_like(f[:1]).squeeze())
        logits = -((f[:, None] - y) ** 2) / (2 * sigma**2)
        own = torch.arange(len(y), device=y.device)
        candidates = {name: parameters[name][bins] for name in REGRESSION_TABLES if name in parameters}
        return 2 * sigma**2 * parametric_loss(logits, own, candidates, None, reduction)
    e = f - y
    losses = _errors(e, error, parameters)
    if (gamma := parameters.get("gamma")) is not None:
        steep = parameters.get("beta", REGRESSION_DEFAULTS["beta"])
        # The floor keeps the power differentiable where the error is zero.
        losses = torch.tanh(0.5 * steep * e.abs()).clamp_min(torch.finfo(e.dtype).tiny) ** gamma * losses
    weights = None
    if (w := parameters.get("w")) is not None:
        weights = w[bins].to(losses.dtype)
        losses = weights * losses
    return reduce(losses, weights, reduction)


def _errors(e: Tensor, error: str, parameters: Mapping[str, Tensor]) -> Tensor:
    if error == "l1":
        return e.abs()
    if error == "mse":
        return e**2
    threshold = parameters.get("threshold")
    if threshold is None:
        return F.smooth_l1_loss(e, torch.zeros_like(e), reduction="none", beta=REGRESSION_DEFAULTS["threshold"])
    size = e.abs()
    return torch.where(size < threshold, 0.5 * e**2 / threshold, size - 0.5 * threshold)
