"""Schedules: a loss whose parameters are a function of the training progress, constant within each of a few stages."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.losses._base import Loss, Stage, Table, check_progress
from autobalance.losses._drop_in import DropIn

_UNTOLD = (
    "the loss has a schedule, and is at its last stage until it is told the epoch: "
    "call loss.start_epoch(epoch / epochs) before each, or train with a stage, loss.at(progress)"
)


class ScheduledLoss(Loss, DropIn):
    """Different losses in different parts of training.

    ``start_epoch(progress)`` chooses the stage. Until it is called, the loss is its *last* stage, and warns where it is
    trained with.

    Args:
        stages: pairs (start, loss), in order; the first start is 0, the others are shares of all epochs below 1. The
            losses have the same number of classes and reduction.

    Raises:
        InputError: stages that are out of order or out of range, or losses of different numbers of classes or
            reductions.

    Example:
        >>> from autobalance.losses import ParametricLoss
        >>> ce, late = ParametricLoss(2), ParametricLoss(2, w=[1.0, 9.0])
        >>> loss = ScheduledLoss([(0.0, ce), (0.8, late)])
        >>> loss.start_epoch(159 / 200); loss.current is ce
        True
        >>> loss.start_epoch(160 / 200); loss.current is late
        True
    """

    def __init__(self, stages: Sequence[tuple[float, Loss]]) -> None:
        super().__init__()
        self.starts = tuple(float(start) for start, _ in stages)
        if len(stages) < 2 or self.starts[0] != 0:
            raise InputError(f"a schedule has two or more stages, the first from 0 on; it has starts {self.starts}")
        for before, after in zip(self.starts, self.starts[1:], strict=False):
            if not before < after < 1:
                raise InputError(f"stages start one after the other, between 0 and 1; the starts are {self.starts}")
        for what in ("num_classes", "reduction"):
            if len(found := {getattr(loss, what) for _, loss in stages}) > 1:
                raise InputError(f"the losses of the stages differ in {what}: {sorted(found)}")
        self.losses = nn.ModuleList(loss for _, loss in stages)
        self.num_classes, self.reduction = stages[0][1].num_classes, stages[0][1].reduction
        self.class_names, self.group_names = stages[0][1].class_names, stages[0][1].group_names
        self.num_groups = max(loss.num_groups for _, loss in stages)
        self.needs_features = any(loss.needs_features for _, loss in stages)
        self.takes_shares = all(loss.takes_shares for _, loss in stages)
        self.stage: Tensor
        self.register_buffer("stage", torch.tensor(-1))  # the last; told no epoch yet
        self._place = -1  # the stage as a number: a compiled graph cannot look at a tensor's value

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order."""
        return tuple(Stage(start, loss) for start, loss in zip(self.starts, self.losses, strict=True))  # type: ignore[arg-type]

    @property
    def start_bias(self) -> Tensor | None:
        """The first stage's."""
        return self.stages[0].loss.start_bias

    @property
    def current(self) -> Loss:
        """The loss of the present stage."""
        return self.stages[self._place].loss

    def start_epoch(self, progress: float) -> None:
        """Moves to the stage that ``progress`` falls into."""
        losses = [stage.loss for stage in self.stages]
        self._place = losses.index(self.at(progress))
        self.stage.fill_(self._place)
        for loss in losses:
            loss.start_epoch(progress)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._place = int(self.stage)

    def reweighted(self, weight: Table) -> ScheduledLoss:
        """Every stage with ``weight``."""
        return ScheduledLoss([(stage.start, stage.loss.reweighted(weight)) for stage in self.stages])

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        group: Tensor | None = None,
        features: Tensor | None = None,
        num_items_in_batch: Tensor | float | None = None,
        **_: object,
    ) -> Tensor:
        """The present stage's loss, see `ParametricLoss.forward`.

        Warns:
            UserWarning: it is to be differentiated in training mode, and no epoch was begun.
        """
        if self._place < 0 and self.training and input.requires_grad:
            warnings.warn(_UNTOLD, stacklevel=4)
        more = {} if num_items_in_batch is None else {"num_items_in_batch": num_items_in_batch}
        return self.current(input, target, group=group, features=features, **more)

    def extra_repr(self) -> str:
        return f"starts={self.starts}"


def deferred(loss: Loss, weight: Table, start: float = 0.8) -> Loss:
    """Deferred re-weighting (Cao et al. 2019, algorithm 1) of any loss that has weights.

    Stages of the loss's own stay where they are; a CSL term stays on for the whole of training.

    Args:
        loss: what is trained with before ``start``.
        weight: w from then on, (K,) or (K, G).
        start: share of all epochs after which the weights are switched on; 160 of 200 in the paper.

    Raises:
        InputError: wrong weights or start.
    """
    check_progress(start)
    before = [stage for stage in loss.stages if stage.start < start]
    after = [(stage.start, stage.loss.reweighted(weight)) for stage in loss.stages if stage.start > start]
    return ScheduledLoss([*before, (start, loss.at(start).reweighted(weight)), *after])
