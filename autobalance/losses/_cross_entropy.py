"""Cross-entropy of adjusted logits: u_j = a_j z_j + b_j - c [j = y], in few passes over (B, K)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad


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
        return adjusted.scatter_add(1, target[:, None], -self.shift[:, None].to(adjusted.dtype))


def adjusted_cross_entropy(logits: Tensor, target: Tensor, adjustment: Adjustment) -> Tensor:
    """-log softmax(u)_y of each sample, (B,), differentiable any number of times in the logits and the adjustment.

    Where only the logits are differentiated, as in plain training, u is not kept and its gradient is written in place:
    about the time and memory of ``F.cross_entropy`` on the raw logits.
    """
    if _only_logits_are_differentiated(logits, adjustment):
        return _AdjustedCrossEntropy.apply(logits, target, *adjustment)
    return F.cross_entropy(adjustment(logits, target), target, reduction="none")


def _only_logits_are_differentiated(logits: Tensor, terms: tuple[Tensor | None, ...]) -> bool:
    """Reverse mode, in the logits alone. Forward mode, torch.func and torch.compile take the composed formula."""
    return (
        torch.is_grad_enabled()
        and logits.requires_grad
        and not any(term is not None and term.requires_grad for term in terms)
        and forward_ad.unpack_dual(logits).tangent is None
        and not torch._C._are_functorch_transforms_active()
        and not torch.compiler.is_compiling()
    )


class _AdjustedCrossEntropy(torch.autograd.Function):
    """Its gradient in z is a_j (p_j - [j = y]), p = softmax(u)."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, factor: Tensor | None, offset: Tensor | None, shift: Tensor | None
    ) -> Tensor:
        adjusted = Adjustment(factor, offset)(logits, target)
        if shift is not None:
            adjusted = adjusted.clone() if adjusted is logits else adjusted
            adjusted.scatter_add_(1, target[:, None], -shift[:, None].to(adjusted.dtype))
        log_p = torch.log_softmax(adjusted, dim=1)
        ctx.save_for_backward(logits, target, factor, offset, shift, log_p)
        return -log_p.gather(1, target[:, None])[:, 0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        logits, target, factor, offset, shift, log_p = ctx.saved_tensors
        (of_loss,) = gradients
        if factor is not None and factor.dim() == 0:
            of_loss, factor = of_loss * factor, None
        if torch.is_grad_enabled():  # create_graph=True: the gradient as a formula that can be differentiated again
            adjusted = Adjustment(ctx.saved_tensors[2], offset, shift)(logits, target)
            miss = torch.softmax(adjusted, dim=1) - F.one_hot(target, logits.shape[1])
            of_logits = (miss if factor is None else miss * factor) * of_loss[:, None]
        else:
            of_logits = log_p.exp()
            of_logits.scatter_add_(1, target[:, None], of_logits.new_full((len(target), 1), -1.0))
            # An unweighted mean or sum gives every sample the same gradient: a number, which needs no pass of its own.
            if of_loss.stride() == (0,) and factor is not None:
                of_logits *= of_loss[0] * factor
            else:
                of_logits *= of_loss[0] if of_loss.stride() == (0,) else of_loss[:, None]
                if factor is not None:
                    of_logits *= factor
        return of_logits, None, None, None, None
