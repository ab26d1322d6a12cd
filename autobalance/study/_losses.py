"""Where a method's loss comes from: a name, or a loss that there is already."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from autobalance.common import InputError
from autobalance.losses import Loss, RegressionLoss
from autobalance.study._training import Training

#: The loss to train with, made anew for each training.
MakeLoss = Callable[[Training], Loss]


@dataclass(frozen=True)
class Named:
    """A fixed loss by its name, for the samples that are trained on.

    Args:
        name: one of `autobalance.losses.named`.
        hyper: which of the method's hyper-parameters are the loss's.
    """

    name: str
    hyper: tuple[str, ...] = ()

    def __call__(self, training: Training) -> Loss:
        own = {name: training.hyper[name] for name in self.hyper}
        return training.task.fixed_loss(self.name, training.counts, **own)


@dataclass(frozen=True)
class Ready:
    """A loss that there is already, whatever the samples.

    Args:
        loss: each training has a copy.
        source: what people call it.
    """

    loss: Loss
    source: str = "the searched loss"

    def __call__(self, training: Training) -> Loss:
        loss, problem = self.loss, training.setting.problem
        if isinstance(loss, RegressionLoss) != (problem.bin_edges is not None):
            kind = "regression" if isinstance(loss, RegressionLoss) else "classification"
            raise InputError(f"{self.source} is a loss for the `task` {kind}")
        if not isinstance(loss, RegressionLoss):  # the bins of a regression loss are its own, whatever the metrics'
            if loss.num_classes != problem.num_classes:
                raise InputError(
                    f"{self.source} is a loss for {loss.num_classes} classes, the data have {problem.num_classes}"
                )
            if loss.num_groups not in (0, problem.num_groups):
                groups = problem.num_groups or "none"
                raise InputError(f"{self.source} is a loss for {loss.num_groups} groups, the data have {groups}")
        return deepcopy(loss)
