"""Adjusted logits: u_j = a_j z_j + b_j - c [j = y]."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Adjustment(NamedTuple):
    """a, b and c of ``u_j = a_j z_j + b_j - c [j = y]``; None where there is none.

    Args:
        factor: a: (), (K,) or (B, K).
        offset: b: (K,) or (B, K).
        shift: c: (B,).
    """

    factor: Tensor | None = None
    offset: Tensor | None = None
    shift: Tensor | None = None

    def __call__(self, logits: Tensor, target: Tensor | None = None) -> Tensor:
        """u, (B, K), for ``logits`` (B, K) and, where there is a shift, ``target`` (B,)."""
        adjusted = logits
        if self.factor is not None and self.offset is not None:
            adjusted = torch.addcmul(self.offset, logits, self.factor)
        elif self.factor is not None:
            adjusted = logits * self.factor
        elif self.offset is not None:
            adjusted = logits + self.offset
        if self.shift is None or target is None:
            return adjusted
        place, change = target[:, None], -self.shift[:, None]
        if change.dtype != adjusted.dtype:
            change = change.to(adjusted.dtype)
        if adjusted is logits or torch._C._are_functorch_transforms_active():
            return adjusted.scatter_add(1, place, change)
        return adjusted.scatter_add_(1, place, change)  # a copy would take as long as the scaling
