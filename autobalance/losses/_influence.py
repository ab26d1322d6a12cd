"""The influence-balanced loss, a plug-in: cross-entropy over the influence of each sample on the last layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, check_call, check_reduction, class_weights, feature_norms, full_precision
from autobalance.losses._base import reduce as reduce_losses


class InfluenceBalanced(Loss):
    """Influence-balanced loss (Park et al. 2021, and its released code).

        v    = w_y (-log p_y),    p = softmax(z)
        loss = α / (|p - e_y|_1 |h|_1 + ε) · v · (1 - exp(-v))^γ

    |p - e_y|_1 |h|_1 is the L1 norm of the gradient that the sample gives the last layer; it equals 2 (1 - p_y) |h|_1,
    and is not detached: the gradient goes through it, and through the features where they carry one. The focusing acts
    on the weighted cross-entropy v, as in the released code.

    Args:
        num_classes: K.
        w: weights, (K,); ones where None.
        alpha, epsilon, gamma: α, ε, γ.
        reduction: see `reduce`; ``batch_mean`` as released.
        dtype: of w.
    """

    needs_features = True

    def __init__(
        self,
        num_classes: int,
        w: Tensor | list | None = None,
        alpha: float = 1000.0,
        epsilon: float = 1e-3,
        gamma: float = 0.0,
        reduction: str = "batch_mean",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not (alpha > 0 and epsilon > 0 and gamma >= 0):
            raise InputError(f"alpha {alpha} and epsilon {epsilon} should be above 0, gamma {gamma} at least 0")
        self.num_classes, self.reduction = num_classes, check_reduction(reduction)
        self.alpha, self.epsilon, self.gamma = float(alpha), float(epsilon), float(gamma)
        self.w: Tensor
        self.register_buffer("w", class_weights(w, num_classes, dtype))

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss.

        Args:
            logits: (B, K).
            target: (B,), int64.
            group: ignored.
            features: h, (B, D), or (B,), their L1 norms.

        Raises:
            InputError: features missing or of another shape; see also `check_call`.
        """
        check_call(logits, target, None, self.num_classes)
        norms = feature_norms(features, len(logits), 1, "the influence-balanced loss")
        losses = F.cross_entropy(full_precision(logits), target, reduction="none")
        influence = -2 * torch.expm1(-losses) * norms.to(losses.dtype)
        weights = self.w[target].to(losses.dtype)
        losses = weights * losses
        if self.gamma:
            losses = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny) ** self.gamma * losses
        return reduce_losses(self.alpha / (influence + self.epsilon) * losses, weights, self.reduction)

    def extra_repr(self) -> str:
        return f"{self.num_classes} classes, alpha={self.alpha}, epsilon={self.epsilon}, gamma={self.gamma}"
