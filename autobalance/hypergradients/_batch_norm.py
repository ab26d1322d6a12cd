"""Batch norm whose second derivatives, and whose derivative along a direction, cost a few passes over the data.

torch writes both out of some thirty elementary operations each; on a CPU they take longer than the convolutions around
them. Here they are closed formulas. Values and first derivatives are torch's own kernels.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.hypergradients._closed_forms import ClosedForms


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training or weight is None or bias is None or x.dtype != weight.dtype:
        return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    return BatchNorm.apply(x, weight, bias, running_mean, running_var, momentum, eps)[0]


def _adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    if output_size in (1, (1, 1)):
        return input.mean((-2, -1), keepdim=True)
    return F.adaptive_avg_pool2d(input, output_size)


class FastBatchNorm(ClosedForms):
    """`ClosedForms`, and ``F.batch_norm`` in training mode is `BatchNorm`.

    And the mean over an image is one, which torch computes in a way that `torch.vmap` cannot follow without a loop.
    """

    forms: ClassVar = {**ClosedForms.forms, F.batch_norm: _batch_norm, F.adaptive_avg_pool2d: _adaptive_avg_pool2d}


class BatchNorm(torch.autograd.Function):
    """y = γ x̂ + β with x̂ = (x - E x) r, r = (Var x + ε)^-1/2, over all dimensions but the second (the channels).

    Along the direction (x', γ', β'):

        y' = γ r (x' - E x' - x̂ E[x̂ x']) + x̂ γ' + β'
    """

    @staticmethod
    def forward(
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        return torch.native_batch_norm(x, weight, bias, running_mean, running_var, True, momentum, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, weight = inputs[:2]
        _, mean, scale = output
        ctx.eps = inputs[-1]
        ctx.mark_non_differentiable(mean, scale)
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.save_for_forward(x, weight, mean, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        return (*_Backward.apply(gradient, *ctx.saved_tensors, ctx.eps), None, None, None, None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Several models' layers as one layer of all their channels."""
        number = info.batch_size
        x = _put_first(inputs[0], in_dims[0], number).transpose(0, 1).flatten(1, 2)
        tables = [
            None if table is None else _put_first(table, dim, number).flatten()
            for table, dim in zip(inputs[1:5], in_dims[1:5], strict=True)
        ]
        y, mean, scale = BatchNorm.apply(x, *tables, *inputs[5:])
        apart = (number, x.shape[1] // number)
        return (y.unflatten(1, apart), mean.unflatten(0, apart), scale.unflatten(0, apart)), (1, 0, 0)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dweight: Tensor | None, dbias: Tensor | None, *_: Any) -> tuple:
        x, weight, mean, scale = ctx.saved_tensors
        dx = torch.zeros_like(x) if dx is None else dx
        dweight, dbias = (torch.zeros_like(weight) if d is None else d for d in (dweight, dbias))
        return _Along.apply(dx, x, weight, dweight, dbias, mean, scale), None, None


class _Along(torch.autograd.Function):
    """y', the derivative of batch norm along a direction (see `BatchNorm`), from x', x and γ; and its derivatives.

    With a the adjoint of y' and, for each channel, A = E a, A' = E[a x̂], m = E x', q = E[x̂ x'], s = γ r,
    C = E[a x'] - A m - A' q, and n elements a channel:

        of x':  s (a - A - x̂ A')
        of γ:   n r C
        of x:   r (h - E h - x̂ E[h x̂]) - r s C x̂,    h = (γ' - s q) a - s A' x'
    """

    @staticmethod
    def forward(
        ctx: Any, dx: Tensor, x: Tensor, weight: Tensor, dweight: Tensor, dbias: Tensor, mean: Tensor, scale: Tensor
    ) -> Tensor:
        first = _mean(dx)
        second = scale * (_mean(dx * x) - mean * first)
        ctx.save_for_backward(dx, x, weight, dweight, mean, scale, first, second)
        along = weight * scale
        slope = (dweight - along * second) * scale
        return _affine(dbias - along * first - slope * mean, (dx, along), (x, slope))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, adjoint: Tensor) -> tuple[Tensor | None, ...]:
        a = adjoint
        dx, x, weight, dweight, mean, r, m, q = ctx.saved_tensors
        s = weight * r
        a0 = _mean(a)
        a1 = r * (_mean(a * x) - mean * a0)
        c = _mean(a * dx) - a0 * m - a1 * q
        slope = -s * a1 * r
        of_dx = _affine(-s * a0 - slope * mean, (a, s), (x, slope))
        of_a, of_d = (dweight - s * q) * r, -s * a1 * r
        slope = -r * (of_a * a1 + of_d * q + r * s * c)
        of_x = _affine(-of_a * a0 - of_d * m - slope * mean, (a, of_a), (dx, of_d), (x, slope))
        return of_dx, of_x, x.numel() // x.shape[1] * r * c, None, None, None, None


class _Backward(torch.autograd.Function):
    """The derivatives g_x, g_γ, g_β of batch norm from g, that of its output, and the adjoints of these three.

    With u, p, q the adjoints of g_x, g_γ, g_β and, for each channel, U = E u, U' = E[u x̂], G = E g, G' = E[g x̂],
    s = γ r, D = E[u g] - G U - G' U', and n elements a channel:

        of g:  s (u - U - x̂ U') + p x̂ + q
        of γ:  n r D
        of x:  r (h - E h - x̂ E[h x̂]) - r s D x̂,    h = (p - s U') g - s G' u
    """

    @staticmethod
    def forward(
        gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        return torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, eps, [True, True, True]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, Tensor, Tensor]) -> None:
        gradient, x, weight, mean, scale, _ = inputs
        ctx.save_for_backward(gradient, x, weight, mean, scale, output[1], output[2])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_x: Tensor, of_weight: Tensor, of_bias: Tensor) -> tuple[Tensor | None, ...]:
        g, x, weight, mean, r, g_weight, g_bias = ctx.saved_tensors
        u, p, q = of_x, of_weight, of_bias
        count = x.numel() // x.shape[1]
        s, g0, g1 = weight * r, g_bias / count, g_weight / count
        u0 = _mean(u)
        u1 = r * (_mean(u * x) - mean * u0)
        d = _mean(u * g) - g0 * u0 - g1 * u1
        # of g: in terms of x itself, x̂ = r (x - mean)
        slope = (p - s * u1) * r
        of_gradient = _affine(q - s * u0 - slope * mean, (u, s), (x, slope))
        of_g, of_u = (p - s * u1) * r, -s * g1 * r
        along = p * g1 - 2 * s * u1 * g1
        slope = -r * r * (along + s * d)
        of_input = _affine(-of_g * g0 - of_u * u0 - slope * mean, (g, of_g), (u, of_u), (x, slope))
        return of_gradient, of_input, count * r * d, None, None, None


def _put_first(x: Tensor, dim: int | None, number: int) -> Tensor:
    return x.expand(number, *x.shape) if dim is None else x.movedim(dim, 0)


def _mean(x: Tensor) -> Tensor:
    """The mean over all dimensions but the channels'."""
    return x.mean([d for d in range(x.dim()) if d != 1])


def _affine(constant: Tensor, *terms: tuple[Tensor, Tensor]) -> Tensor:
    """constant + Σ factor * x, where constant and factors are numbers a channel."""
    shape = [1, -1, *([1] * (terms[0][0].dim() - 2))]
    total = terms[0][0] * terms[0][1].view(shape)
    for x, factor in terms[1:]:
        total.addcmul_(x, factor.view(shape))
    return total.add_(constant.view(shape))
