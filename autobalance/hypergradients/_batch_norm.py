"""Batch norm whose second derivatives, and whose derivative along a direction, cost a few passes over the data.

torch writes both out of some thirty elementary operations each; on a CPU they take longer than the convolutions around
them. Here they are closed formulas. Values and first derivatives are torch's own kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class FastBatchNorm(TorchFunctionMode):
    """Within this context ``F.batch_norm`` in training mode is `BatchNorm`; everything else is as it was.

    But for the mean over an image, which torch computes in a way that `torch.vmap` cannot follow without a loop.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.adaptive_avg_pool2d and args[1] in (1, (1, 1)):
            return args[0].mean((-2, -1), keepdim=True)
        if func is F.batch_norm:
            return _batch_norm(*args, **kwargs)
        return func(*args, **kwargs)


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
        zero = torch.zeros_like(weight)
        dweight, dbias = zero if dweight is None else dweight, zero if dbias is None else dbias
        if dx is None:
            slope, constant = dweight * scale, dbias
            return _affine(constant - slope * mean, (x, slope)), None, None
        along = weight * scale
        first, second = _mean(dx), scale * (_mean(dx * x) - mean * _mean(dx))
        slope = (dweight - along * second) * scale
        return _affine(dbias - along * first - slope * mean, (dx, along), (x, slope)), None, None


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
