"""Layers whose second derivatives torch lacks, or has wrong, as formulas of operations that have them.

In torch forward mode through softmax and back fails (a result is overwritten in place), and through layer norm and back
it is wrong, without a word; fused attention, hard sigmoids and embedding bags have no second derivatives at all. Values
are equal up to rounding.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


def softmax(x: Tensor, dim: int | None = None, *_: Any, dtype: torch.dtype | None = None, **__: Any) -> Tensor:
    """exp(x - max x) over its sum."""
    if dim is None:  # deprecated; torch says so itself
        return F.softmax(x, dim, dtype=dtype)
    x = x if dtype is None else x.to(dtype)
    shifted = (x - x.detach().amax(dim, keepdim=True)).exp()
    return shifted / shifted.sum(dim, keepdim=True)


def log_softmax(x: Tensor, dim: int | None = None, *_: Any, dtype: torch.dtype | None = None, **__: Any) -> Tensor:
    """x less the logarithm of the sum of exp x."""
    if dim is None:
        return F.log_softmax(x, dim, dtype=dtype)
    x = x if dtype is None else x.to(dtype)
    shifted = x - x.detach().amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def layer_norm(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """γ (x - E x) (Var x + ε)^-1/2 + β over the last dimensions (Ba et al. 2016)."""
    over = tuple(range(-len(normalized_shape), 0))
    centred = x - x.mean(over, keepdim=True)
    result = centred * (centred.square().mean(over, keepdim=True) + eps).rsqrt()
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """g v / |v|, the norm over all dimensions but one (Salimans & Kingma 2016)."""
    over = [d for d in range(v.dim()) if d != dim] if dim != -1 else list(range(v.dim()))
    return v * (g / v.square().sum(over, keepdim=True).sqrt())


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ / √d + mask) v, in parts (Vaswani et al. 2017, equation 1)."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    alone = (scores == -math.inf).all(-1, keepdim=True)  # as torch has it: who sees nothing is told nothing
    shares = softmax(scores.masked_fill(alone, 0), -1).masked_fill(alone, 0)
    return (F.dropout(shares, dropout_p) if dropout_p else shares) @ value


def hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 within [0, 1]."""
    return (x / 6 + 0.5).clamp(0, 1)


def hardswish(x: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)."""
    return x * hardsigmoid(x)


def embedding_bag(*args: Any, **kwargs: Any) -> Tensor:
    """The sum or mean of the rows of a table that are in each bag; maxima are left to torch. Called as torch's."""
    bound = _EMBEDDING_BAG.bind(*args, **kwargs)
    bound.apply_defaults()
    of = bound.arguments
    if of["mode"] == "max" or of["max_norm"] is not None:
        return F.embedding_bag(*args, **kwargs)
    weight, flat = of["weight"], of["input"].flatten()
    taken = torch.ones(len(flat)).to(weight)
    if of["padding_idx"] is not None:
        taken = (flat != of["padding_idx"] % len(weight)).to(weight)
    factor = taken if of["per_sample_weights"] is None else taken * of["per_sample_weights"].flatten()
    bag, bags = _bags(of["input"], of["offsets"], of["include_last_offset"])
    rows = F.embedding(flat, weight) * factor[:, None]
    total = rows.new_zeros(bags, rows.shape[1]).index_add(0, bag, rows)
    if of["mode"] == "sum":
        return total
    return total / taken.new_zeros(bags).index_add(0, bag, taken).clamp_min(1)[:, None]


def _bags(index: Tensor, offsets: Tensor | None, include_last: bool) -> tuple[Tensor, int]:
    """The bag that each entry is in, and how many bags there are."""
    if index.dim() == 2:
        return torch.arange(len(index), device=index.device)[:, None].expand_as(index).flatten(), len(index)
    assert offsets is not None  # torch refuses it
    starts = offsets[:-1] if include_last else offsets
    return torch.searchsorted(starts, torch.arange(len(index), device=index.device), right=True) - 1, len(starts)


_EMBEDDING_BAG = inspect.signature(F.embedding_bag)


def _unfused(layer: Callable[..., Any]) -> Callable[..., Any]:
    """A recurrent layer without the libraries' kernels, which have no second derivatives."""

    def call(*args: Any, **kwargs: Any) -> Any:
        libraries: tuple[Any, ...] = (torch.backends.mkldnn, torch.backends.cudnn)
        before = [library.enabled for library in libraries]
        try:
            for library in libraries:
                library.enabled = False
            return layer(*args, **kwargs)
        finally:
            for library, enabled in zip(libraries, before, strict=True):
                library.enabled = enabled

    return call


#: By the function of torch that they stand for.
CLOSED_FORMS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.softmax: softmax,
    F.softmax: softmax,
    Tensor.softmax: softmax,
    torch.log_softmax: log_softmax,
    F.log_softmax: log_softmax,
    Tensor.log_softmax: log_softmax,
    F.layer_norm: layer_norm,
    torch._weight_norm: weight_norm,
    F.scaled_dot_product_attention: attention,
    F.hardsigmoid: hardsigmoid,
    F.hardswish: hardswish,
    F.embedding_bag: embedding_bag,
    **{layer: _unfused(layer) for layer in (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)},
}


def multi_head_attention(within: TorchFunctionMode, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """torch's own, which is written in Python, with the functions that it calls in a mode too."""
    with within, patch.object(F, "has_torch_function", lambda _: False):
        return F.multi_head_attention_forward(*args, **kwargs)


class ClosedForms(TorchFunctionMode):
    """Within this context the functions of ``forms`` are their formulas."""

    forms: ClassVar[Mapping[Callable[..., Any], Callable[..., Any]]] = CLOSED_FORMS

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.multi_head_attention_forward:
            return multi_head_attention(self, *args, **(kwargs or {}))
        return self.forms.get(func, func)(*args, **(kwargs or {}))
