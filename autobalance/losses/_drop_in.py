"""A loss in the place of ``nn.CrossEntropyLoss``, for what looks at its type or its checkpoints."""

from __future__ import annotations

from typing import Any

from torch import nn


class DropIn(nn.CrossEntropyLoss):
    """Is a ``nn.CrossEntropyLoss`` to frameworks that ask, so that they take softmax(z) for probabilities (skorch), and
    can stand where one stood when a checkpoint was written: it then keeps the numbers that it has."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        state_dict.pop(prefix + "weight", None)
        own = {name: value for name, value in self._buffers.items() if name not in self._non_persistent_buffers_set}
        own.pop("weight", None)
        if not any(prefix + name in state_dict for name in own):
            state_dict |= {prefix + name: value for name, value in own.items() if value is not None}
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
