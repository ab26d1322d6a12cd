"""An objective that is made small while others are kept within bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics import Context, Outputs, Seen
from autobalance.tasks.objectives._blend import Blend, known
from autobalance.tasks.objectives._objective import Objective, Standing

#: How steep the penalty of a violated constraint is in the soft form, and the step of its multiplier.
STEEPNESS = 10.0
#: What a violated constraint costs in the metric, times its violation.
PENALTY = 10.0
#: A bound that is missed by less is met: what rounding does to a rate.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Constraint:
    """A metric that is to stay at or below a bound; a score that is to stay above one is 1 less the score here.

    Args:
        metric: what is bounded, small where it is good.
        upper: whether it shall be at most ``bound``; else at least.
        bound: in the unit of the soft form: a share for classes, the target's unit for numbers.
        score: whether the metric is one less a score.
        text: as it was written.
    """

    metric: Blend
    upper: bool
    bound: float
    score: bool
    text: str

    def violation(self, value: Tensor) -> Tensor:
        """How far a value is beyond the bound; below 0 where it is within."""
        return value - self.bound if self.upper else self.bound - value

    def measured(self, output: Outputs, batch: Batch, hundred: float) -> tuple[float, float]:
        """The exact figure as it was written (a score as a score), and how far it is beyond the bound, below 0 where it
        is within; shares of one where ``hundred`` is 100."""
        value = self.metric.metric(output, batch) / hundred
        beyond = value - self.bound if self.upper else self.bound - value
        return (1 - value if self.score else value), 0.0 if abs(beyond) < ROUNDING else beyond


class Constrained:
    """A main objective and constraints.

    The soft forms are augmented Lagrangians (Hestenes 1969; Powell 1969): the main objective plus, for each constraint
    with violation v (below 0 where it is met) and multiplier μ ≥ 0, (max(0, μ + ρ v)² - μ²) / (2 ρ), ρ = 10. With
    multipliers of 0 that is a quadratic penalty; `raised` gives the multipliers after a step of dual ascent.

    Args:
        main: what is made small.
        constraints: what is kept within bounds.
        text: as it was written.
        context: of the samples.
    """

    def __init__(self, main: Blend, constraints: Sequence[Constraint], text: str, context: Context | None) -> None:
        self.main, self.constraints, self.text, self.context = main, tuple(constraints), text, context

    def __call__(self, output: Outputs, batch: Batch, multipliers: Tensor | None = None) -> Tensor:
        """The differentiable value, a scalar; ``multipliers`` (C,), one a constraint, None: 0 each."""
        return self.main(output, batch) + self._penalty(self.violations(output, batch), multipliers)

    def soft_confusion(
        self,
        output: Outputs,
        batch: Batch,
        temperature: float = 1.0,
        maximum: float = 0.0,
        multipliers: Tensor | None = None,
        steepness: float = STEEPNESS,
    ) -> Tensor:
        """The same with the main objective's and the constraints' `Blend.soft_confusion`, and ρ = ``steepness``."""
        main = self.main.soft_confusion(output, batch, temperature, maximum)
        return main + self._penalty(self.violations(output, batch, temperature, maximum), multipliers, steepness)

    def violations(self, output: Outputs, batch: Batch, temperature: float = 1.0, maximum: float = 0.0) -> Tensor:
        """How far each constraint is violated, (C,), differentiable; below 0 where it is met."""
        return torch.stack([
            one.violation(one.metric.soft_confusion(output, batch, temperature, maximum)) for one in self.constraints
        ])  # fmt: skip

    def exact_violations(self, output: Outputs, batch: Batch) -> Tensor:
        """How far each constraint is violated by the exact figures, (C,), float64; below 0 where it is met."""
        beyond = [one.measured(output, batch, self._hundred)[1] for one in self.constraints]
        return torch.tensor(beyond, dtype=torch.float64)

    def raised(self, multipliers: Tensor, violations: Tensor, length: float = 1.0, most: float = math.inf) -> Tensor:
        """The multipliers, (C,), after a step of dual ascent, max(0, μ + length · ρ v), ``most`` at most."""
        return (multipliers + length * STEEPNESS * violations.detach()).clamp(0, most)

    def dearest(self, figure: float) -> float:
        """The multiplier at which a constraint counts as one that cannot be met: ten times the unit of the main
        objective, which is 1, or its ``figure`` where that is larger, such as a cost."""
        return PENALTY * max(1.0, figure / self._hundred)

    def metric(self, output: Outputs, batch: Batch) -> float:
        """The main objective's metric and, for each constraint that is violated, ten times by how much: one number for
        those who need one; candidates are compared by `standing`."""
        stands = self.standing(output, batch)
        return stands.figure + PENALTY * self._hundred * stands.violation

    def looked_at(self, output: Seen) -> Tensor | Seen:
        """See `Objective`."""
        seen = [blend.looked_at(output) for blend in (self.main, *(one.metric for one in self.constraints))]
        return seen[0] if all(isinstance(each, Tensor) and each.dim() == 1 for each in seen) else output

    def standing(self, output: Outputs, batch: Batch) -> Standing:
        """The main objective's metric, and by how much the constraints are violated."""
        constraints, total = {}, 0.0
        for one in self.constraints:
            value, beyond = one.measured(output, batch, self._hundred)
            constraints[one.text] = {"value": known(value), "violation": known(max(0.0, beyond))}
            total += max(0.0, beyond)
        return Standing(total, self.main.metric(output, batch), constraints)

    def figures(self, output: Outputs, batch: Batch) -> dict[str, Any]:
        """What a test reports: the metric, the main objective's, and each constraint's figure and whether it is met."""
        stands = self.standing(output, batch)
        return {
            "objective": known(self.metric(output, batch)),
            "main_objective": known(stands.figure),
            "constraints": dict(stands.constraints),
        }

    @property
    def _hundred(self) -> float:
        """What the exact figures are divided by to be in the unit of the soft ones."""
        return 1.0 if self.context is not None and self.context.bin_edges is not None else 100.0

    @staticmethod
    def _penalty(violations: Tensor, multipliers: Tensor | None, steepness: float = STEEPNESS) -> Tensor:
        at = torch.zeros_like(violations) if multipliers is None else multipliers.to(violations)
        return (((at + steepness * violations).clamp_min(0) ** 2 - at**2) / (2 * steepness)).sum()


def standing(objective: Objective, output: Outputs, batch: Batch) -> Standing:
    """How outputs stand by any objective: those without constraints violate none."""
    if isinstance(objective, Constrained):
        return objective.standing(output, batch)
    return Standing(0.0, objective.metric(output, batch))


def of_largest(objective: object) -> bool:
    """Whether an objective takes the largest logits of each sample in place of all of them: where its metrics do."""
    blends = [objective]
    if isinstance(objective, Constrained):
        blends = [objective.main, *(one.metric for one in objective.constraints)]
    return all(isinstance(blend, Blend) and all(part.metric.of_largest for part in blend.parts) for blend in blends)
