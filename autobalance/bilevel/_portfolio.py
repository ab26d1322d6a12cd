"""A handful of starts, of which the search takes the one whose held-out outputs are best."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from autobalance.losses import Loss
from autobalance.tasks import Task

#: Makes a loss of the training samples of each class (or cell).
MakeLoss = Callable[[Task, Tensor], Loss]


def half_adjusted(task: Task, counts: Tensor) -> Loss:
    """Half of logit adjustment, l = ½ log π, and weights w ∝ 1/√n, which are half of 1/n in log w."""
    return task.fixed_loss("la", counts, tau=0.5, weight=_root(counts))


def _root(counts: Tensor) -> Tensor:
    weight = counts.double().rsqrt()
    return weight * (counts.sum() / (counts * weight).sum())


#: By name: the loss, and the factor on the recipe's weight decay. In the order in which they are worth their cost
#: on the development problems (experiments/plans/development.yaml; docs/what-helps.md).
PORTFOLIO: Mapping[str, tuple[MakeLoss, float]] = {
    "half-adjusted, decay x 8": (half_adjusted, 8.0),
    "vs, gamma 0.15": (lambda task, counts: task.fixed_loss("vs", counts, gamma=0.15), 1.0),
    "la, decay x 8": (lambda task, counts: task.fixed_loss("la", counts), 8.0),
    "la, tau 1.5": (lambda task, counts: task.fixed_loss("la", counts, tau=1.5), 1.0),
}

#: The same for a regression, in the order of what each adds there (``python -m experiments.starts``).
OF_NUMBERS: Mapping[str, tuple[MakeLoss, float]] = {
    "lds": (lambda task, counts: task.fixed_loss("lds", counts), 1.0),
    "l1": (lambda task, counts: task.fixed_loss("l1", counts), 1.0),
    "mse": (lambda task, counts: task.fixed_loss("mse", counts), 1.0),
    "inv, decay x 8": (lambda task, counts: task.fixed_loss("inv", counts), 8.0),
}
