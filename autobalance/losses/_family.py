"""The family of losses: weight, additive and multiplicative logit adjustment, margin, scale and focusing.

For logits ``z`` of one sample with target class ``y``

    u_j  = s Δ_j z_j + l_j - s m_y [j = y]
    loss = w_y (1 - p_y)^γ (-log p_y),    p = softmax(u)

Sources: w, l, Δ: Li et al. 2021 (AutoBalance), eq. 2.1 and 2.2, with groups eq. 4.2; m, s: Cao et al. 2019 (LDAM),
eq. 13; γ: Lin et al. 2017 (focal loss), eq. 4.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.losses._base import full_precision, reduce
from autobalance.losses._cross_entropy import Adjustment, adjusted_cross_entropy

#: Each parameter of the family with the value at which it has no effect. All but the last two are tables over classes.
IDENTITY: Mapping[str, float] = {"w": 1.0, "l": 0.0, "delta": 1.0, "margin": 0.0, "scale": 1.0, "gamma": 0.0}
TABLES = ("w", "l", "delta", "margin")


def _of_target(table: Tensor, target: Tensor, group: Tensor | None) -> Tensor:
    """The entry of each sample's target (and group): shape (B,)."""
    return table[target] if table.dim() == 1 else table[target, group]


def _of_logits(table: Tensor, group: Tensor | None) -> Tensor:
    """The entries of all classes for each sample: (K,) without groups, (B, K) with them."""
    return table if table.dim() == 1 else table.t()[group]


def adjustment(parameters: Mapping[str, Tensor], target: Tensor, group: Tensor | None = None) -> Adjustment:
    """What the parameters do to the logits: s Δ z + l - s m_y [j = y]. Parameters that are absent have no effect."""
    scale, factor, offset, margin = (parameters.get(name) for name in ("scale", "delta", "l", "margin"))
    if factor is not None:
        factor = _of_logits(factor, group)
    if scale is not None:
        factor = scale if factor is None else scale * factor
    if offset is not None:
        offset = _of_logits(offset, group)
    shift = None if margin is None else _of_target(margin, target, group)
    if shift is not None and scale is not None:
        shift = scale * shift
    return Adjustment(factor, offset, shift)


def parametric_loss(
    logits: Tensor,
    target: Tensor,
    parameters: Mapping[str, Tensor],
    group: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The family as a function, differentiable (any number of times) in the logits and in every parameter.

    Args:
        logits: (B, K). Half-precision logits are taken to float32 first.
        target: (B,), int64, values 0..K-1.
        parameters: any of ``w``, ``l``, ``delta``, ``margin``, each (K,) or (K, G), and of the numbers ``scale`` and
            ``gamma``.
        group: (B,), int64, values 0..G-1; needed where a table is (K, G).
        reduction: see `reduce`.

    Returns:
        a scalar, or (B,) for ``reduction="none"``.
    """
    losses = adjusted_cross_entropy(full_precision(logits), target, adjustment(parameters, target, group))
    gamma = parameters.get("gamma")
    if gamma is not None:
        # 1 - p without cancellation; the floor keeps the power differentiable where p rounds to one.
        miss = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
        losses = miss**gamma * losses
    weights = None
    if (w := parameters.get("w")) is not None:
        weights = _of_target(w, target, group).to(losses.dtype)
        losses = weights * losses
    return reduce(losses, weights, reduction)
