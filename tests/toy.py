"""Small problems with known answers, for tests of the loops."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from autobalance.data import Samples


def gaussians(counts: list[int], seed: int, spread: float = 1.0, dtype: torch.dtype = torch.float64) -> Samples:
    """Classes around the corners of a simplex, with one covariance: log-posteriors are linear in x."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    noise = torch.randn(len(y), len(counts), generator=generator, dtype=dtype)
    return Samples(torch.eye(len(counts), dtype=dtype)[y] * 2 + spread * noise, y)


def linear(num_classes: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(num_classes, num_classes).double()


def with_dropout(num_classes: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = (nn.Linear(num_classes, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, num_classes))
    return nn.Sequential(*layers).double()


def same(first: Any, second: Any) -> bool:
    """Whether two trees of dicts, lists, tensors and numbers are bitwise equal."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    return bool(first == second)
