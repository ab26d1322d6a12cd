"""Outputs for held-out samples: as much of them as the objective looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from autobalance.tasks.metrics import Largest, Outputs
from autobalance.tasks.objectives import of_largest

#: Numbers that a model answers in one go.
AT_ONCE = 2**24
#: Logits of each sample that are kept; of no more classes all are.
KEPT = 256


def numbers_kept(classes: int, objective: object) -> int:
    """How many logits of each sample are kept: all, unless there are very many and the objective needs the largest."""
    return KEPT if classes > KEPT and of_largest(objective) else classes


def kept(output: Tensor, y: Tensor, objective: object) -> Outputs:
    """What is kept of outputs, logits (N, K) or numbers (N,), for samples of the classes y, (N,)."""
    if output.dim() < 2 or (number := numbers_kept(output.shape[1], objective)) == output.shape[1]:
        return output
    return Largest.of(output, y, number)


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Those of some samples after those of others."""
    largest = [part for part in parts if isinstance(part, Largest)]
    return Largest.joined(largest) if largest else torch.cat([part for part in parts if isinstance(part, Tensor)])


def with_rows(outputs: Outputs, offsets: Tensor, row: Tensor) -> Outputs:
    """Outputs with offsets of the classes in each of P rows, (P, K), of which each sample has one, (N,)."""
    return outputs.plus_rows(offsets, row) if isinstance(outputs, Largest) else outputs + offsets[row]


def packed(outputs: Outputs | None) -> Any:
    """Plain values for a checkpoint."""
    return asdict(outputs) if isinstance(outputs, Largest) else outputs


def unpacked(content: Any) -> Any:
    """What `packed` was given."""
    return Largest(**content) if isinstance(content, dict) else content
