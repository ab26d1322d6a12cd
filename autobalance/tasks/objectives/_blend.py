"""Metrics and their sums as objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.metrics import Context, Metric, Outputs, Seen, predicted

#: What helps where an objective or a loss is for groups and there are none.
GROUPS_FROM = (
    "give `group` with a table, group_train with a .npz file, digits-groups as `data`, or samples (x, y, group)"
)


def known(value: float) -> float | None:
    """The value, None where it is not finite."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Part:
    """A term of a sum of metrics."""

    weight: float
    metric: Metric


class Blend:
    """A sum of metrics.

    Args:
        parts: its terms.
        text: as it was written.
        context: of the samples; None: what each batch tells of a classification.
    """

    def __init__(self, parts: Sequence[Part], text: str, context: Context | None = None) -> None:
        self.parts, self.text, self.context = tuple(parts), text, context

    def __call__(self, output: Outputs, batch: Batch) -> Tensor:
        """The differentiable value, a scalar."""
        context = self._context(output, batch)
        terms = []
        for part in self.parts:
            assert part.metric.soft is not None
            terms.append(part.weight * part.metric.soft(output, batch, context))
        return torch.stack(terms).sum()

    def soft_confusion(self, output: Outputs, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """The differentiable value that becomes a hundredth of `metric` (of numbers: becomes `metric`) as both its
        temperatures go to 0.

        Args:
            output: (N, ...).
            batch: the samples, of which only y and group are looked at.
            temperature: of the softmax of the logits.
            maximum: of the soft maximum over classes or cells, in the unit of an error rate; 0: the maximum.
        """
        context = self._context(output, batch)
        terms = []
        for part in self.parts:
            soft = part.metric.soft_confusion
            if soft is not None:
                terms.append(part.weight * soft(output, batch, context, temperature, maximum))
            else:
                assert part.metric.soft is not None
                terms.append(part.weight * part.metric.soft(output, batch, context))
        return torch.stack(terms).sum()

    def metric(self, output: Outputs, batch: Batch) -> float:
        """The sum of the true metrics, errors in percent."""
        context = self._context(output, batch)
        return sum(part.weight * part.metric.exact(output, batch, context) for part in self.parts)

    def looked_at(self, output: Seen) -> Tensor | Seen:
        """See `Objective`."""
        of_classes = self.context is not None and all(part.metric.of_classes for part in self.parts)
        return predicted(output) if of_classes else output

    def figures(self, output: Outputs, batch: Batch) -> dict[str, Any]:
        """What a test reports: ``objective``, the metric; None where the samples tell nothing."""
        return {"objective": known(self.metric(output, batch))}

    def _context(self, output: Outputs, batch: Batch) -> Context:
        if batch.group is None and any(part.metric.needs == "groups" for part in self.parts):
            raise InputError(f"the objective {self.text} needs groups, and the samples have none: {GROUPS_FROM}")
        return self.context or Context.of(output, batch)
