"""Models that are called with several inputs, or answer with more than logits, as models of one tensor each."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.data.intake import Packing


class Adapted(nn.Module):
    """A model (B, ...) -> (B, K) of any that answers with logits.

    An answer is the logits itself, or has them as ``.logits`` or ``["logits"]``. Inputs that stand in rows are given to
    the model as it takes them: by their names, as far as ``forward`` has them (as Hugging Face's trainer does); those
    of a tuple one after the other; else as one dict or tuple.

    Args:
        model: whose weights these are.
        packing: what stands in a row of the inputs; None: they are the model's.
    """

    def __init__(self, model: nn.Module, packing: Packing | None = None) -> None:
        super().__init__()
        self.model, self.packing = model, packing

    def forward(self, x: Tensor) -> Any:
        """The logits, (B, K)."""
        if self.packing is None:
            return logits_of(self.model(x))
        inputs = self.packing.unpack(x, next(self.model.parameters()).dtype)
        if isinstance(inputs, tuple):
            return logits_of(self.model(*inputs) if self._binds(*inputs) else self.model(inputs))
        known = self._known(inputs)
        return logits_of(self.model(**known) if known else self.model(inputs))

    def _known(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The inputs that ``forward`` has arguments for; none where one that it needs is not among them."""
        arguments = inspect.signature(self.model.forward).parameters.values()
        named = {each.name for each in arguments if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
        takes_all = any(each.kind == each.VAR_KEYWORD for each in arguments) and not named & inputs.keys()
        known = inputs if takes_all else {name: value for name, value in inputs.items() if name in named}
        return known if self._binds(**known) else {}

    def _binds(self, *given: Tensor, **named: Tensor) -> bool:
        try:
            inspect.signature(self.model.forward).bind(*given, **named)
        except TypeError:
            return False
        return True


def logits_of(answer: Any) -> Any:
    """The logits of an answer that has them by this name; else the answer."""
    if isinstance(answer, Tensor):
        return answer
    if isinstance(answer, Mapping) and "logits" in answer:
        return answer["logits"]
    return getattr(answer, "logits", answer)


@torch.no_grad()
def adapted(model: nn.Module, x: Tensor, packing: Packing | None = None) -> nn.Module:
    """The model itself where it maps ``x`` to a tensor, else as `Adapted`.

    Args:
        model: is left as it is. A failure on the samples is left to those who use it.
        x: some inputs, (B, ...), on its device.
        packing: what stands in a row of them.
    """
    if packing is not None:
        return Adapted(model, packing)
    training = [(module, module.training) for module in model.modules()]
    try:
        answer = model.eval()(x)
    except (RuntimeError, TypeError, ValueError):
        return model
    finally:
        for module, mode in training:
            module.training = mode
    return model if isinstance(answer, Tensor | tuple) and not hasattr(answer, "logits") else Adapted(model)
