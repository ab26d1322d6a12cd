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
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

from autobalance.losses._adjustment import Adjustment, adjusted
from autobalance.losses._base import full_precision, reduce, values_are_seen

#: Each parameter of the family with the value at which it has no effect. All but the last two are tables over classes.
IDENTITY: Mapping[str, float] = {"w": 1.0, "l": 0.0, "delta": 1.0, "margin": 0.0, "scale": 1.0, "gamma": 0.0}
TABLES = ("w", "l", "delta", "margin")


def of_target(table: Tensor, target: Tensor, group: Tensor | None) -> Tensor:
    """The entry of each sample's target (and group): shape (B,)."""
    return table.index_select(0, target) if table.dim() == 1 else table[target, group]


def of_logits(table: Tensor, group: Tensor | None) -> Tensor:
    """The entries of all classes for each sample: (K,) without groups, (B, K) with them."""
    return table if table.dim() == 1 else table.t()[group]


def without_margin(parameters: Mapping[str, Tensor], group: Tensor | None = None) -> Adjustment:
    """s Δ z + l. Parameters that are absent have no effect."""
    scale, factor, offset = parameters.get("scale"), parameters.get("delta"), parameters.get("l")
    if factor is not None:
        factor = of_logits(factor, group)
    if scale is not None:
        factor = scale if factor is None else scale * factor
    return Adjustment(factor, None if offset is None else of_logits(offset, group))


def adjustment(parameters: Mapping[str, Tensor], target: Tensor, group: Tensor | None = None) -> Adjustment:
    """What the parameters do to the logits: s Δ z + l - s m_y [j = y]."""
    plain, scale, margin = without_margin(parameters, group), parameters.get("scale"), parameters.get("margin")
    if margin is None:
        return plain
    return plain._replace(shift=of_target(margin if scale is None else scale * margin, target, group))


def parametric_loss(
    logits: Tensor,
    target: Tensor,
    parameters: Mapping[str, Tensor],
    group: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Tensor:
    """The family as a function, differentiable (any number of times) in the logits and in every parameter.

    Args:
        logits: (B, K). Half-precision logits are taken to float32 first.
        target: (B,), int64, values 0..K-1 or ``ignore_index``.
        parameters: any of ``w``, ``l``, ``delta``, ``margin``, each (K,) or (K, G), and of the numbers ``scale`` and
            ``gamma``.
        group: (B,), int64, values 0..G-1; needed where a table is (K, G).
        reduction: see `reduce`.
        ignore_index: a target that does not count, whose loss and weight are 0; None: all count.

    Returns:
        a scalar, or (B,) for ``reduction="none"``.
    """
    logits, w, gamma = full_precision(logits), parameters.get("w"), parameters.get("gamma")
    by_torch = gamma is None and (w is None or fixed(w))
    own = target
    if ignore_index is not None and (parameters.get("margin") is not None or not (w is None or by_torch)):
        own = target.clamp(0, logits.shape[1] - 1)  # who is ignored has a margin and a weight, too; they count nowhere
    u = adjusted(logits, adjustment(parameters, own, group), own)
    if by_torch:
        return _torch_loss(u, target, w, reduction, ignore_index)
    losses = _torch_loss(u, target, None, "none", ignore_index)
    if gamma is not None:
        losses = focused(losses, gamma)
    counted = None if ignore_index is None else target != ignore_index
    if w is None:
        return reduce(losses, None, reduction, counted)
    weights = of_target(w, own, group).to(losses.dtype)
    if counted is not None:
        weights = weights * counted
    return reduce(weights * losses, weights, reduction, counted)


def focused(losses: Tensor, gamma: Tensor) -> Tensor:
    """(1 - p)^γ (-log p), for -log p."""
    # 1 - p without cancellation; the floor keeps the power differentiable where p rounds to one.
    miss = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
    # The derivative of a power is less work where the exponent is a number.
    return miss ** (gamma.item() if fixed(gamma) and values_are_seen(gamma) else gamma) * losses


def fixed(table: Tensor) -> bool:
    """Whether nothing is differentiated in a table (K,) or number. torch's loss has no derivative in weights."""
    if table.dim() > 1 or table.requires_grad:
        return False
    if torch.compiler.is_compiling():
        return True
    if torch._C._are_functorch_transforms_active():
        return False
    return forward_ad._current_level < 0 or forward_ad.unpack_dual(table).tangent is None


def _torch_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None, reduction: str, ignore_index: int | None
) -> Tensor:
    """torch's cross-entropy, one pass each way."""
    if weight is not None and weight.dtype != logits.dtype:
        weight = weight.to(logits.dtype)
    ignored = -100 if ignore_index is None else ignore_index
    if reduction != "batch_mean" or weight is None:
        how = "mean" if reduction == "batch_mean" else reduction
        return F.cross_entropy(logits, target, weight, ignore_index=ignored, reduction=how)
    total = F.cross_entropy(logits, target, weight, ignore_index=ignored, reduction="sum")
    return total / (target.numel() if ignore_index is None else (target != ignore_index).sum())
