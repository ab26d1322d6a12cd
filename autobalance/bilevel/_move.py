"""What is done with the outputs of a start that were held out: offsets for logits, nothing for numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from autobalance.bilevel._offsets import Crossed, Judged, Offsets, best_of, dealt, frequency_law, refitted
from autobalance.bilevel.space import Tied, tie_of
from autobalance.data import Batch
from autobalance.tasks.metrics import Outputs
from autobalance.tasks.objectives import Objective, standing

J = TypeVar("J", bound=Judged)


class Move(Protocol[J]):
    """The best that can be made of held-out outputs without another training."""

    @property
    def phase(self) -> str:
        """What people see that is done."""

    def best(self, outputs: Outputs, batch: Batch) -> J:
        """The outputs at their best, each judged with what was found without it, for their N samples."""

    def offsets(self, outputs: Outputs, batch: Batch, best: J) -> Tensor | None:
        """What is added to outputs of samples to come, found on all N; None: nothing."""


@dataclass(frozen=True)
class ByOffsets:
    """Offsets of logits, see `Offsets`.

    Args:
        problem: how they are found.
        seed: of the cross-validation that chooses their penalty.
    """

    problem: Offsets
    seed: int
    phase: str = "offsets"

    @classmethod
    def of(cls, objective: Objective, counts: Tensor, tie: str, seed: int) -> ByOffsets:
        """For samples of each class, (K,), or cell, (K, G); ``tie`` as in `LossSpace`."""
        classes = counts if counts.dim() == 1 else counts.sum(1)
        beside = Tied(torch.zeros(len(classes), 0)) if tie == "frequency" else tie_of(tie, classes.double())
        return cls(Offsets(objective, frequency_law(counts), beside), seed)

    def best(self, outputs: Outputs, batch: Batch) -> Crossed:
        """See `Move`."""
        return best_of(self.problem, outputs, batch, dealt(batch.y, self.seed))

    def offsets(self, outputs: Outputs, batch: Batch, best: Crossed) -> Tensor:
        """See `Move`."""
        return refitted(outputs, batch, best)


@dataclass(frozen=True)
class AsTheyAre:
    """Predicted numbers stay as they are: no training loss has the effect of a map of predictions.

    Args:
        objective: whose exact metric they are judged by.
    """

    objective: Objective
    phase: str = "starts"

    def best(self, outputs: Outputs, batch: Batch) -> Judged:
        """See `Move`."""
        return Judged(standing(self.objective, outputs, batch), self.objective(outputs, batch).item(), outputs)

    def offsets(self, outputs: Outputs, batch: Batch, best: Judged) -> None:
        """See `Move`."""
