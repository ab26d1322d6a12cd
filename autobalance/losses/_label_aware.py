"""Label-aware smoothing (Zhong et al. 2021, MiSLAS): labels of large classes are smoothed more."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autobalance.common import InputError, check_value
from autobalance.losses._base import Loss, Table


class LabelAware(Loss):
    """A base loss whose targets are smoothed by the size of their class.

        q_k = 1 - ε_y for k = y, else ε_y / (K - 1)
        ε_y = ε_tail + (ε_head - ε_tail) sin( (π/2) (n_y - n_min) / (n_max - n_min) )

    This is the concave form, the released code's. For shares q of the classes the smoothed ones are Σ_y q_y S_y.

    Args:
        base: a loss that takes shares of the classes.
        class_counts: training samples of each class, n, (K,).
        head, tail: ε of the largest and of the smallest class, within 0 and 1.

    Attributes:
        smoothed: S, (K, K): the shares that stand for each class.

    Raises:
        InputError: a base that takes one class a sample only, or another ε.
    """

    takes_shares = True
    smoothed: Tensor

    def __init__(self, base: Loss, class_counts: Table, head: float = 0.3, tail: float = 0.0) -> None:
        super().__init__()
        if not base.takes_shares:
            raise InputError(
                f"labels are smoothed for members of the family without terms, such as la, not for "
                f"{type(base).__name__}"
            )
        for name, value in (("head", head), ("tail", tail)):
            check_value(name, value, at_least=0, at_most=1)
        self.base, self.num_classes, self.reduction = base, base.num_classes, base.reduction
        self.num_groups, self.class_names, self.group_names = base.num_groups, base.class_names, base.group_names
        counts = torch.as_tensor(class_counts, dtype=torch.float64)
        span = (counts.max() - counts.min()).clamp_min(1)  # all alike: all have the tail's
        epsilon = tail + (head - tail) * torch.sin(math.pi / 2 * (counts - counts.min()) / span)
        others = (epsilon / (len(counts) - 1))[:, None].expand(-1, len(counts)).clone()
        others.diagonal().copy_(1 - epsilon)
        self.register_buffer("smoothed", others.to(torch.get_default_dtype()))

    @property
    def start_bias(self) -> Tensor | None:
        return self.base.start_bias

    def start_epoch(self, progress: float) -> None:
        """Tells the base loss."""
        self.base.start_epoch(progress)

    def reweighted(self, weight: Table) -> LabelAware:
        other = LabelAware(self.base.reweighted(weight), torch.ones(self.num_classes))
        other.smoothed.copy_(self.smoothed)
        return other

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The base loss of the smoothed shares.

        Args:
            logits: (B, K).
            target: (B,), int64, or shares (B, K).
            group, features: as the base loss takes them.
        """
        smoothed = self.smoothed.to(logits.dtype if target.dtype == torch.int64 else target.dtype)
        shares = target @ smoothed if target.is_floating_point() else smoothed[target]
        return self.base(logits, shares, group=group, features=features)
