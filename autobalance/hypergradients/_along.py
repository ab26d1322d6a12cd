"""A forward pass that carries a direction along, and computes common layers together with their derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from autobalance.hypergradients._batch_norm import FastBatchNorm
from autobalance.hypergradients._pair_attention import PairAttention
from autobalance.hypergradients._pairs import PairGelu, PairLayerNorm, PairLinear, PairSoftmax

Pair = tuple[Tensor, Tensor] | None


def _both(x: Any) -> tuple[Any, Any]:
    """A tensor and its direction, None where it does not move."""
    return (None, None) if x is None else tuple(forward_ad.unpack_dual(x))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Pair:
    (x, dx), (weight, dweight), (bias, dbias) = _both(input), _both(weight), _both(bias)
    # Without a way back torch's own is as fast; a bias that moves alone is no product.
    if not torch.is_grad_enabled() or x.dim() < 2 or (dx is None and dweight is None):
        return None
    return PairLinear.apply(x, dx, weight, dweight, bias, dbias)


def _gelu(input: Tensor, approximate: str = "none") -> Pair:
    x, dx = _both(input)
    return None if dx is None or approximate != "none" else PairGelu.apply(x, dx)


def _layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Pair:
    (x, dx), (weight, dweight), (bias, dbias) = _both(input), _both(weight), _both(bias)
    if dx is None or (weight is not None and weight.dtype != x.dtype):
        return None
    first = -len(normalized_shape)
    tables = [None if table is None else table.flatten() for table in (weight, dweight, bias, dbias)]
    y, dy = PairLayerNorm.apply(x.flatten(first), dx.flatten(first), *tables, eps)
    return y.view(x.shape), dy.view(x.shape)


def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Pair:
    (x, dx), (weight, dweight), (bias, dbias) = _both(input), _both(weight), _both(bias)
    if dx is None or (weight is not None and weight.dtype != x.dtype):
        return None
    groups = (len(x), num_groups, -1)
    apart = PairLayerNorm.apply(x.reshape(groups), dx.reshape(groups), None, None, None, None, eps)
    y, dy = (part.view(x.shape) for part in apart)
    weight, dweight, bias, dbias = (
        None if table is None else table.view(-1, *[1] * (x.dim() - 2)) for table in (weight, dweight, bias, dbias)
    )
    if weight is not None:
        along = dy * weight
        y, dy = y * weight, along if dweight is None else along + y * dweight
    return (y if bias is None else y + bias), (dy if dbias is None else dy + dbias)


def _softmax(input: Tensor, dim: int | None = None, *_: Any, dtype: torch.dtype | None = None, **__: Any) -> Pair:
    x, dx = _both(input)
    if dx is None or dtype not in (None, x.dtype) or dim not in (-1, x.dim() - 1):
        return None
    return PairSoftmax.apply(x, dx)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Pair:
    moving = [_both(x) for x in (query, key, value)]
    mask, dmask = _both(attn_mask)
    shape = query.shape[:-2]
    if all(d is None for _, d in moving) or key.shape[:-2] != shape or value.shape[:-2] != shape:
        return None  # also heads that share keys
    if dmask is not None or (mask is not None and mask.requires_grad):
        return None
    flat = [x.reshape(-1, *x.shape[-2:]) for x, _ in moving]
    along = [torch.zeros_like(x) if d is None else d.reshape(x.shape) for x, (_, d) in zip(flat, moving, strict=True)]
    size = (query.shape[-2], key.shape[-2])
    if is_causal:
        mask = torch.ones(size, dtype=torch.bool, device=query.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -math.inf)
    if mask is not None and mask.dim() > 2:
        mask = mask.expand(*shape, *size).reshape(-1, *size)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    o, do = PairAttention.apply(*flat, *along, mask, dropout_p, factor)
    return o.view(*shape, *o.shape[-2:]), do.view(*shape, *o.shape[-2:])


#: By the function of torch that they stand for: y and y', or None where they do not apply.
PAIRS: Mapping[Callable[..., Any], Callable[..., Pair]] = {
    F.linear: _linear,
    F.gelu: _gelu,
    F.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
    torch.softmax: _softmax,
    F.softmax: _softmax,
    Tensor.softmax: _softmax,
    F.scaled_dot_product_attention: _attention,
}


def _pair_or(pair: Callable[..., Pair], other: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        several = is_functorch_wrapped_tensor(next(iter((*args, *kwargs.values()))))
        found = None if several else pair(*args, **kwargs)
        return other(*args, **kwargs) if found is None else forward_ad.make_dual(*found)

    return call


class Along(FastBatchNorm):
    """`FastBatchNorm` for a pass with forward-mode inputs and weights, where the layers of `PAIRS` are one function
    with their derivative along the direction.

    Where these do not apply, as with several models under vmap, layers go the way of `FastBatchNorm`.
    """

    forms: ClassVar = {
        **FastBatchNorm.forms,
        **{func: _pair_or(pair, FastBatchNorm.forms.get(func, func)) for func, pair in PAIRS.items()},
    }
