"""Layers that are computed together with their derivative along a direction, and differentiated back as one function.

torch's forward mode makes two chains of operations of a layer, one for y and one for y', and takes each back by itself.
Here a layer is one function (x, x', ...) -> (y, y') whose way back is a closed formula: the sums of both chains' parts
happen inside the products, and what does not move, or needs no derivative, is left out. With a and a' the adjoints of
y and y', the docstrings say what is sent on. A weight's direction is most often given, and needs no adjoint.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Gradients = tuple[Tensor | None, ...]


class PairLinear(torch.autograd.Function):
    """y = x W + b,  y' = x' W + x V + c  along (x', V, c).

    of x:   a W + a' V       of W:  a x + a' x'       of b:  the sum of a
    of x':  a' W             of V:  a' x              of c:  the sum of a'
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dx: Tensor | None,
        weight: Tensor,
        dweight: Tensor | None,
        bias: Tensor | None,
        dbias: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, dx, weight, dweight)
        y = F.linear(x, weight, bias)
        if dx is None:
            assert dweight is not None
            return y, F.linear(x, dweight, dbias)
        dy = F.linear(dx, weight, dbias).contiguous()
        if dweight is not None:
            rows(dy).addmm_(rows(x), dweight.t())
        return y, dy

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, a: Tensor, da: Tensor) -> Gradients:
        x, dx, weight, dweight = ctx.saved_tensors
        of_x = of_dx = of_weight = of_dweight = of_bias = of_dbias = None
        if ctx.needs_input_grad[0]:
            of_x = rows(a) @ weight
            if dweight is not None:
                of_x.addmm_(rows(da), dweight)
            of_x = of_x.view(x.shape)
        if ctx.needs_input_grad[1]:
            of_dx = (rows(da) @ weight).view(x.shape)
        if ctx.needs_input_grad[2]:
            of_weight = rows(a).t() @ rows(x)
            if dx is not None:
                of_weight.addmm_(rows(da).t(), rows(dx))
        if ctx.needs_input_grad[3]:
            of_dweight = rows(da).t() @ rows(x)
        if ctx.needs_input_grad[4]:
            of_bias = rows(a).sum(0)
        if ctx.needs_input_grad[5]:
            of_dbias = rows(da).sum(0)
        return of_x, of_dx, of_weight, of_dweight, of_bias, of_dbias


class PairGelu(torch.autograd.Function):
    """y = g(x) = x Φ(x),  y' = g'(x) x'  (Hendrycks & Gimpel 2016).

    of x:  g'(x) a + g''(x) x' a',  g''(x) = (2 - x²) φ(x)        of x':  g'(x) a'
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dx: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, dx)
        return F.gelu(x), torch.ops.aten.gelu_backward(dx, x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, a: Tensor, da: Tensor) -> Gradients:
        x, dx = ctx.saved_tensors
        half = math.log2(math.e) / 2
        exponent = torch.addcmul(x.new_zeros(()), x, x, value=-half)
        density = exponent.exp2()  # which torch is four times as fast in as in exp
        curved = exponent.add_(2 * half).mul_(dx).mul_(da)
        of_x = torch.ops.aten.gelu_backward(a, x).addcmul_(curved, density, value=1 / half / math.sqrt(2 * math.pi))
        return of_x, torch.ops.aten.gelu_backward(da, x)


class PairLayerNorm(torch.autograd.Function):
    """y = γ x̂ + β with x̂ = (x - E x) r, r = (Var x + ε)^-1/2, and with N(u) = r (u - E u - x̂ E[x̂ u])

        y' = γ x̂' + γ' x̂ + β',    x̂' = N(x')

    With h = γ a + γ' a', h' = γ a' and means over the normalised dimensions:

        of x':  N(h')
        of x:   N(h - r E[x̂ x'] h' - r E[x̂ h'] x') - r E[x̂' h'] x̂
        of γ:   the sum of a x̂ + a' x̂'        of β:   the sum of a
        of γ':  the sum of a' x̂               of β':  the sum of a'
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dx: Tensor,
        weight: Tensor | None,
        dweight: Tensor | None,
        bias: Tensor | None,
        dbias: Tensor | None,
        eps: float,
    ) -> tuple[Tensor, Tensor]:
        x = x.contiguous()
        unit, mean, scale = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
        dunit = _normalised(dx, x, mean, scale)
        ctx.save_for_backward(x, dx, unit, dunit, mean, scale, weight, dweight)
        y, dy = (unit.clone(), dunit.clone()) if weight is None else (unit * weight, dunit * weight)
        if dweight is not None:
            dy.addcmul_(unit, dweight)
        return (y if bias is None else y.add_(bias)), (dy if dbias is None else dy.add_(dbias))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, a: Tensor, da: Tensor) -> Gradients:
        x, dx, unit, dunit, mean, scale, weight, dweight = ctx.saved_tensors
        h = a if weight is None else a * weight
        dh = da if weight is None else da * weight
        of_dx = _normalised(dh, x, mean, scale)
        through = torch.addcmul(h, dh, -scale * _mean(unit, dx))
        through.addcmul_(dx, -scale * _mean(unit, dh))
        if dweight is not None:
            through.addcmul_(da, dweight)
        of_x = _normalised(through, x, mean, scale).addcmul_(unit, -scale * _mean(dunit, dh))
        of_weight = of_dweight = of_bias = of_dbias = None
        if ctx.needs_input_grad[2]:
            of_weight = rows((a * unit).addcmul_(da, dunit)).sum(0)
        if ctx.needs_input_grad[3]:
            of_dweight = rows(da * unit).sum(0)
        if ctx.needs_input_grad[4]:
            of_bias = rows(a).sum(0)
        if ctx.needs_input_grad[5]:
            of_dbias = rows(da).sum(0)
        return of_x, of_dx, of_weight, of_dweight, of_bias, of_dbias, None


def _normalised(u: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """N(u): layer norm's own kernel for the way back, whose matrix is symmetric."""
    mask = [True, False, False]
    return torch.ops.aten.native_layer_norm_backward(u.contiguous(), x, x.shape[-1:], mean, scale, None, None, mask)[0]


def _mean(u: Tensor, v: Tensor) -> Tensor:
    return (u * v).mean(-1, keepdim=True)


class PairSoftmax(torch.autograd.Function):
    """p = softmax(x),  p' = p (x' - ⟨p, x'⟩), over the last dimension.

    of x':  p (a' - ⟨p, a'⟩)        of x:  p (a - ⟨p, a⟩ - ⟨p', a'⟩) + p' (a' - ⟨p, a'⟩)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dx: Tensor) -> tuple[Tensor, Tensor]:
        p = x.softmax(-1)
        dp = torch._softmax_backward_data(dx, p, -1, p.dtype)
        ctx.save_for_backward(p, dp)
        return p, dp

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, a: Tensor, da: Tensor) -> Gradients:
        p, dp = ctx.saved_tensors
        centred = da - (p * da).sum(-1, keepdim=True)
        of_x = (a - (p * a + dp * da).sum(-1, keepdim=True)).mul_(p).addcmul_(dp, centred)
        return of_x, centred.mul_(p)


def rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])
