"""What a loss collects in training: numbers that keep their precision, and are forgotten when a training begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Statistics(nn.Module):
    """Base of what a loss collects. Its buffers keep their precision when the loss is moved with ``.to(dtype)``."""

    def start_epoch(self, progress: float) -> None:
        """At the beginning of a training, forgets everything."""
        if progress == 0:
            self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        for buffer in self.buffers():
            buffer.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            if buffer is not None:
                self._buffers[name] = buffer.to(self._buffers[name].device)  # type: ignore[union-attr]
        return self

    def _statistic(self, name: str, *shape: int, dtype: torch.dtype = torch.float64) -> None:
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))
