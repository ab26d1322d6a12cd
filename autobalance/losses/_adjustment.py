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


def adjusted(logits: Tensor, by: Adjustment, target: Tensor | None = None) -> Tensor:
    """u, (B, K), for ``logits`` (B, K) and, where there is a shift, ``target`` (B,)."""
    factor, offset, shift = by
    u = logits
    if factor is not None and offset is not None:
        u = torch.addcmul(offset, logits, factor)
    elif factor is not None:
        u = logits * factor
    elif offset is not None:
        u = logits + offset
    if shift is None or target is None:
        return u
    place, change = target[:, None], -shift[:, None]
    if change.dtype != u.dtype:
        change = change.to(u.dtype)
    if u is logits or torch._C._are_functorch_transforms_active():
        return u.scatter_add(1, place, change)
    return u.scatter_add_(1, place, change)  # a copy would take as long as the scaling
