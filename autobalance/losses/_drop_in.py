"""Losses in the place of torch's own, for what looks at their type or at their checkpoints."""

from __future__ import annotations

from typing import Any

from torch import nn


class _Resumed(nn.Module):
    """Can stand where a loss of torch's stood when a checkpoint was written: it then keeps the numbers that it has."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        of_torch = ("weight", "pos_weight")
        for name in of_torch:
            state_dict.pop(prefix + name, None)
        own = {name: value for name, value in self._buffers.items() if name not in self._non_persistent_buffers_set}
        own = {name: value for name, value in own.items() if name not in of_torch and value is not None}
        if not any(prefix + name in state_dict for name in own):
            state_dict |= {prefix + name: value for name, value in own.items()}
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class DropIn(_Resumed, nn.CrossEntropyLoss):
    """Is a ``nn.CrossEntropyLoss`` to frameworks that ask: they take softmax(z) for probabilities (skorch)."""


class BinaryDropIn(_Resumed, nn.BCEWithLogitsLoss):
    """Is a ``nn.BCEWithLogitsLoss`` to frameworks that ask: they take sigmoid(z) for probabilities (skorch)."""
