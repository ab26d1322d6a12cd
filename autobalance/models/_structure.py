"""All that says how a reference model is built, as plain values: what a file needs beside the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from autobalance.models._base import FeatureModel
from autobalance.models._make import make_model
from autobalance.models._regression import Rescale


@dataclass(frozen=True)
class Structure:
    """A reference model without its weights.

    Args:
        name, sample_shape, head: see `make_model`.
        outputs: how many numbers the model answers with.
        centre, spread: for numbers to predict: the model answers ``centre + spread * z``. None: it answers z.
    """

    name: str
    sample_shape: tuple[int, ...]
    outputs: int
    head: str = "linear"
    centre: float | None = None
    spread: float | None = None

    @classmethod
    def of_numbers(cls, name: str, sample_shape: tuple[int, ...], targets: Tensor) -> Structure:
        """A model that answers in the unit of training ``targets``, (N,): by their mean and standard deviation."""
        y = targets.double()
        return cls(name, sample_shape, 1, centre=y.mean().item(), spread=y.std(correction=0).item())

    def build(self) -> FeatureModel:
        """The model, its weights drawn from torch's global generator.

        Raises:
            InputError: see `make_model`.
        """
        model = make_model(self.name, self.sample_shape, self.outputs, head=self.head)
        if self.centre is not None and self.spread is not None:
            model.head = nn.Sequential(model.head, Rescale(self.centre, self.spread))
        return model

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, of which `from_dict` makes it again."""
        return {**asdict(self), "sample_shape": list(self.sample_shape)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Structure:
        """The structure that `to_dict` described.

        Raises:
            TypeError, ValueError: it is no description of one.
        """
        shape = tuple(int(side) for side in content["sample_shape"])
        return cls(**{**content, "sample_shape": shape})
