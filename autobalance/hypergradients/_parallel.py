"""Data parallelism: every process runs the model on its rows of a batch, and all hold the same weights.

Each process is given the whole batch and computes the whole loss, from its own logits and those of the others. Its
gradients are through its own logits alone; their sum over the processes is the gradient of one process on the whole
batch. Where there is one process, nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rows(x: Tensor) -> Tensor:
    """This process's rows of a batch."""
    return x if processes() == 1 else x.tensor_split(processes())[dist.get_rank()]


def gather_rows(own: Tensor, number: int) -> Tensor:
    """All ``number`` rows, of which this process computed ``own``. Only these are differentiable.

    That is exact for losses in which no row's derivative depends on another row's logits, as in sums over samples.
    """
    if processes() == 1:
        return own
    sizes = [len(rows) for rows in torch.arange(number).tensor_split(processes())]
    begin = sum(sizes[: dist.get_rank()])
    everything = own.new_zeros(number, *own.shape[1:])
    everything[begin : begin + len(own)] = own.detach()
    dist.all_reduce(everything)
    return torch.cat([everything[:begin], own, everything[begin + len(own) :]])


@torch.no_grad()
def summed(tensors: Mapping[Any, Tensor]) -> dict[Any, Tensor]:
    """The sum of each tensor over the processes, where each computed it from its own rows."""
    if processes() == 1:
        return dict(tensors)
    return dict(zip(tensors, _all_reduced(tuple(tensors.values())), strict=True))


def _all_reduced(tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """Sums in one message for each dtype: many small ones would each pay the wait."""
    found: list[Tensor] = [torch.empty(0)] * len(tensors)
    for dtype in {tensor.dtype for tensor in tensors}:
        places = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
        flat = torch.cat([tensors[i].reshape(-1) for i in places])
        dist.all_reduce(flat)
        parts = flat.split([tensors[i].numel() for i in places])
        for i, part in zip(places, parts, strict=True):
            found[i] = part.view_as(tensors[i])
    return found
