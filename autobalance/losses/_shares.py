"""The family for targets that are shares of the classes, as mixup, cutmix and label smoothing make them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.losses._adjustment import adjusted
from autobalance.losses._base import full_precision, reduce
from autobalance.losses._family import focused, of_logits, without_margin


def shares_loss(
    logits: Tensor,
    shares: Tensor,
    parameters: Mapping[str, Tensor],
    group: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ_k q_k loss(z, k): the mean of the losses that a sample would have in each class, by the classes' shares.

    Args:
        logits: z, (B, K).
        shares: q, (B, K), at least 0, rows of sum 1.
        parameters, group: see `parametric_loss`.
        reduction: of the B samples; ``mean`` is over their number, as in torch.

    Returns:
        a scalar, or (B,) for ``reduction="none"``.
    """
    losses = (shares * class_losses(logits, parameters, group)).sum(1)
    return reduce(losses, None, reduction)


def smoothed_loss(
    logits: Tensor,
    target: Tensor,
    parameters: Mapping[str, Tensor],
    group: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    smoothing: float = 0.0,
) -> Tensor:
    """(1 - ε) loss(z, y) + ε/K Σ_k loss(z, k) (Szegedy et al. 2016, section 7): label smoothing.

    Args:
        logits: z, (B, K).
        target: y, (B,), int64.
        parameters, group, ignore_index: see `parametric_loss`.
        reduction: ``mean`` is over the sum of the w_y, as in torch.
        smoothing: ε.
    """
    counted = target != ignore_index
    target, each = target.where(counted, 0), class_losses(logits, parameters, group)
    losses = (1 - smoothing) * each.gather(1, target[:, None])[:, 0] + smoothing * each.mean(1)
    losses = losses * counted
    weights = counted.to(losses.dtype)
    if (w := parameters.get("w")) is not None:
        weights = weights * (w[target] if w.dim() == 1 else w[target, group])
    return reduce(losses, weights, reduction, counted)


def class_losses(logits: Tensor, parameters: Mapping[str, Tensor], group: Tensor | None = None) -> Tensor:
    """The loss that each sample would have in each class, (B, K).

    With u = s Δ z + l and p = softmax(u), a margin lowers u of the one class that is meant by s m_k:

        -log p'_k = -log p_k + s m_k + log(1 + p_k (exp(-s m_k) - 1))
    """
    log_p = torch.log_softmax(adjusted(full_precision(logits), without_margin(parameters, group)), dim=1)
    losses = -log_p
    if (margin := parameters.get("margin")) is not None:
        shift = of_logits(margin, group) * parameters.get("scale", 1.0)
        losses = losses + shift + torch.log1p(log_p.exp() * torch.expm1(-shift))
    if (gamma := parameters.get("gamma")) is not None:
        losses = focused(losses, gamma)
    return losses if (w := parameters.get("w")) is None else of_logits(w, group) * losses
