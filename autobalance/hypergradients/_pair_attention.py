"""Attention together with its derivative along a direction, see `autobalance.hypergradients._pairs`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class PairAttention(torch.autograd.Function):
    """o = d(p) v with p = softmax(c q kᵀ + mask), where d drops entries and scales the others.

    Along (q', k', v') with s' = c (q' kᵀ + q k'ᵀ):

        o' = d(p') v + d(p) v',    p' = p (s' - ⟨p, s'⟩)

    The way back, from the adjoints a of o and a' of o', with g = d(a vᵀ + a' v'ᵀ), g' = d(a' vᵀ), e' = g' - ⟨p, g'⟩,
    h' = p e' and h = p (g - ⟨p, g⟩ - ⟨p', g'⟩) + p' e':

        of v':  d(p)ᵀ a'       of v:  d(p)ᵀ a + d(p')ᵀ a'
        of q':  c h' k         of q:  c (h k + h' k')
        of k':  c h'ᵀ q        of k:  c (hᵀ q + h'ᵀ q')

    Sums over keys are those over the features of what was put out (Dao et al. 2022): ⟨p, g'⟩ = ⟨a', o⟩,
    ⟨p', g'⟩ = ⟨a', d(p') v⟩ and ⟨p, g⟩ = ⟨a, o⟩ + ⟨a', d(p) v'⟩.

    Arguments: queries (N, L, E), keys (N, M, E), values (N, M, V), their directions, a mask to be added that
    broadcasts to (N, L, M) or None, the share of entries that are dropped, and c.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        q, k, v, dq, dk, dv, mask, dropout, scale = inputs
        scores = (q * scale) @ k.mT
        if mask is not None:
            scores += mask
        p = torch._safe_softmax(scores, -1)
        moved = torch.bmm(dq, k.mT, out=scores).baddbmm_(q, dk.mT).mul_(scale)
        dp = torch._softmax_backward_data(moved, p, -1, p.dtype)
        kept = F.dropout(torch.ones_like(p), dropout) if dropout else None
        seen, dseen = (p, dp) if kept is None else (p * kept, dp * kept)
        o, do = seen @ v, seen @ dv
        first = dseen @ v
        ctx.scale = scale
        ctx.save_for_backward(q, k, v, dq, dk, dv, p, dp, kept, o, first, do)
        return o, do + first

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, a: Tensor, da: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, dq, dk, dv, p, dp, kept, o, first, second = ctx.saved_tensors
        g = (a @ v.mT).baddbmm_(da, dv.mT)
        e = da @ v.mT
        if kept is None:
            seen, dseen = p, dp
        else:
            seen, dseen = p * kept, dp * kept
            g.mul_(kept)
            e.mul_(kept)
        of_dv = seen.mT @ da
        of_v = (seen.mT @ a).baddbmm_(dseen.mT, da)
        e.sub_(_inner(da, o))
        h = g.sub_(_inner(a, o) + _inner(da, first + second)).mul_(p).addcmul_(dp, e).mul_(ctx.scale)
        dh = e.mul_(p).mul_(ctx.scale)
        of_q, of_dq = (h @ k).baddbmm_(dh, dk), dh @ k
        of_k, of_dk = (h.mT @ q).baddbmm_(dh.mT, dq), dh.mT @ q
        return of_q, of_k, of_v, of_dq, of_dk, of_dv, None, None, None


def _inner(u: Tensor, v: Tensor) -> Tensor:
    """⟨u, v⟩, over the last dimension."""
    return (u * v).sum(-1, keepdim=True)
