"""What a metric is: one record that objectives, tests of a model, reports and studies read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.metrics._largest import Largest, Outputs

#: A bin is many-shot above the first number of training samples, few-shot below the second (Yang et al. 2021).
SHOTS = (100, 20)


@dataclass(frozen=True)
class Context:
    """What a metric may need to know beside the outputs and the batch.

    Args:
        num_classes: K, of classes or of bins of the target.
        num_groups: G, 0 without groups.
        class_names, group_names: as they stand in the data.
        bin_edges: for regression, (K + 1,), float64.
        scale: for regression, the standard deviation of the training targets.
        counts: training samples of each class or bin, (K,), or of each class in each group, (K, G).
        shots: a class or bin is many-shot above the first number of training samples, few-shot below the second.
        equal_shares: whether samples count as if there were as many of each class.
    """

    num_classes: int
    num_groups: int = 0
    class_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    bin_edges: Tensor | None = None
    scale: float = 1.0
    counts: Tensor | None = None
    shots: tuple[int, int] = SHOTS
    equal_shares: bool = False

    @classmethod
    def of(cls, logits: Outputs, batch: Batch) -> Context:
        """What a batch of a classification tells by itself: logits (B, K)."""
        return cls(logits.shape[1], 0 if batch.group is None else int(batch.group.max()) + 1)


#: (output (B, ...), batch, context) -> the figure. The output is a tensor, or `Largest` where the metric takes them.
Exact = Callable[[Any, Batch, Context], float]
#: The same, differentiable in the output; a scalar.
Soft = Callable[[Any, Batch, Context], Tensor]


#: (output, batch, context, temperature, maximum) -> the soft figure, a scalar, with rates as shares. ``temperature`` is
#: that of the softmax of the logits, which towards 0 becomes the argmax; ``maximum`` that of the `soft_maximum` over
#: classes or cells where there is one, in the unit of an error rate.
SoftConfusion = Callable[[Any, Batch, Context, float, float], Tensor]


@dataclass(frozen=True)
class Metric:
    """A figure of outputs on samples. Rates are in percent in ``exact`` and shares of one in the soft forms.

    Args:
        key: of the figure in ``result.json``.
        title: words for a heading, and in a sentence.
        meaning: a sentence for people who read the figure.
        exact: the figure; NaN where the samples tell nothing.
        soft: its differentiable form, what the search makes small; None: no objective.
        soft_confusion: the form that becomes ``exact`` as both its temperatures go to 0; None: ``soft``.
        surrogates: other soft forms by the name that stands in brackets behind the objective, ``deo(ce)``.
        option: what the objective is called where that is not ``key``.
        needs: ``classes``, ``groups`` or ``bins``: what the samples must have.
        unit, step: behind a figure and behind a difference of two; empty where they are in the target's unit.
        better: whether the ``lower`` or the ``higher`` figure is better; what has a soft form is better lower.
        score: whether the figure is 100 less a score in percent, so that a bound on it is one on the score.
        digits: decimals to print; None: four significant digits of whatever unit the target has.
        reported: whether every test of a model has it.
        column: whether the tables of a report show it.
        of_classes: whether ``exact`` looks at predicted classes alone, and takes them, (N,), in place of logits too.
        of_largest: whether all its forms take the largest logits of each sample, `Largest`, in place of all.
    """

    key: str
    title: str
    meaning: str
    exact: Exact
    soft: Soft | None = None
    soft_confusion: SoftConfusion | None = None
    surrogates: Mapping[str, Soft] = field(default_factory=dict)
    option: str | None = None
    needs: Literal["classes", "groups", "bins"] = "classes"
    unit: str = " %"
    step: str = " points"
    better: Literal["lower", "higher"] = "lower"
    score: bool = False
    digits: int | None = 2
    reported: bool = True
    column: bool = True
    of_classes: bool = False
    of_largest: bool = False

    def __post_init__(self) -> None:
        if self.soft is not None and self.better == "higher":
            raise InputError(f"the metric {self.key} is made small: turn the score into 1 less the score")

    @property
    def name(self) -> str:
        """What it is called as an objective."""
        return self.option or self.key

    @property
    def heading(self) -> str:
        """Of a column: the title and the unit."""
        return self.title + self.unit

    def fits(self, context: Context) -> bool:
        """Whether it can be asked of such samples."""
        if self.needs == "bins" or context.bin_edges is not None:
            return self.needs == "bins" and context.bin_edges is not None
        return self.needs == "classes" or context.num_groups > 0


def predicted(output: Outputs) -> Tensor:
    """The predicted classes, (N,), of logits (N, K) or of what are predicted classes already."""
    if isinstance(output, Largest):
        return output.predicted
    return output if output.dim() == 1 and not output.is_floating_point() else output.argmax(1)


def soft_maximum(values: Tensor, temperature: float, known: Tensor | None = None) -> Tensor:
    """T log (1/C) Σ_c exp(v_c / T) of C values, which lies between their mean (T → ∞) and their maximum, which
    temperature 0 gives exactly.

    Args:
        values: (..., C).
        temperature: in their unit.
        known: which of them count, (..., C), bool, at least one of each C; None: all.

    Returns:
        (...).
    """
    if known is not None:
        values = values.masked_fill(~known, -torch.inf)
    if temperature == 0:
        return values.amax(-1)
    number = math.log(values.shape[-1]) if known is None else known.sum(-1).to(values).log()
    return temperature * (torch.logsumexp(values / temperature, -1) - number)
