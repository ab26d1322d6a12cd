"""A forward pass that is run again with a direction, without computing again what the layers gave."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.overrides import TorchFunctionMode

from autobalance.hypergradients._closed_forms import multi_head_attention

#: Layers that are bilinear in input and weight; called with these, the bias and further options.
BILINEAR = (F.linear, F.conv1d, F.conv2d, F.conv3d)


class KeptLayers(TorchFunctionMode):
    """Keeps what linear layers and convolutions put out; ``again``, in the same pass with forward-mode inputs and
    weights, computes their derivative alone:

        y = x W + b,    y' = x' W + x V + c    along (x', V, c)

    Each pass has to call the same layers in the same order. What an operation in place has changed is computed anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: deque[tuple[Tensor, int]] = deque()  # with the version of its memory
        self._again = False

    def again(self) -> KeptLayers:
        """For the second pass."""
        self._again = True
        return self

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.multi_head_attention_forward:
            return multi_head_attention(self, *args, **(kwargs or {}))
        # Models that are stacked with vmap have tensors here that do not outlive it.
        if func not in BILINEAR or kwargs or is_functorch_wrapped_tensor(args[0]):
            return func(*args, **(kwargs or {}))
        if self._again:
            kept, version = self._kept.popleft()
            return _along(func, kept, *args) if kept._version == version else func(*args)
        output = func(*args)
        self._kept.append((output.detach(), output._version))
        return output


def _along(func: Callable[..., Tensor], kept: Tensor, x: Tensor, weight: Tensor, *more: Any) -> Tensor:
    bias, rest = (more[0], more[1:]) if more else (None, ())
    (x, dx), (weight, dweight) = forward_ad.unpack_dual(x), forward_ad.unpack_dual(weight)
    dbias = None if bias is None else forward_ad.unpack_dual(bias).tangent
    parts = [] if dx is None else [func(dx, weight, None, *rest)]
    if dweight is not None:
        parts.append(func(x, dweight, dbias, *rest))
    elif dbias is not None:
        parts.append(dbias.view(-1, *[1] * (kept.dim() - 2)) if func is not F.linear else dbias)
    if not parts:
        return kept
    change = sum(parts[1:], start=parts[0])
    return forward_ad.make_dual(kept, change.expand_as(kept))
