"""All that a search carries from one epoch to the next, as plain values that a checkpoint can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from autobalance.hypergradients import InnerState


@dataclass(frozen=True)
class SearchState:
    """All that the search carries from one epoch to the next.

    Args:
        inner: the model's training state.
        raw: the searched numbers.
        outer: state of the outer optimiser.
        total, counted: sum of the searched numbers over the averaged part, and how many were summed.
        epoch, steps: epochs and training steps done, those that were skipped included.
        queue: batches drawn and not yet taken, as sample indices.
        since_outer: training steps since the last hypergradient.
        outer_steps, skipped, skipped_in_a_row: counts of hypergradient steps taken, and of steps not taken because a
            value was not finite.
        generator, random: states of the sampling generator and of torch's own.
        device_random: state of the GPU's own generator, None on a CPU.
    """

    inner: InnerState
    raw: dict[str, Tensor]
    outer: dict[str, Any]
    total: dict[str, Tensor]
    counted: int
    epoch: int
    steps: int
    queue: list[Tensor]
    since_outer: int
    outer_steps: int
    skipped: int
    skipped_in_a_row: int
    generator: Tensor
    random: Tensor
    device_random: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain containers of tensors and numbers, fit for ``torch.save`` and ``torch.load(weights_only=True)``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any], device: torch.device | str = "cpu") -> SearchState:
        """The state that `to_dict` wrote, its weights and searched numbers on ``device``.

        The states of the generators belong on the CPU, and so do the indices of the samples.
        """

        def moved(part: Any) -> Any:
            if isinstance(part, dict):
                return {key: moved(value) for key, value in part.items()}
            return part.to(device) if isinstance(part, Tensor) else part

        on_device = {name: moved(content[name]) for name in ("inner", "raw", "total")}
        return cls(**{**content, **on_device, "inner": InnerState(**on_device["inner"])})

    @property
    def best(self) -> dict[str, Tensor]:
        """The searched numbers to use: their average where there is one, else the present ones."""
        if not self.counted:
            return self.raw
        return {name: value / self.counted for name, value in self.total.items()}
