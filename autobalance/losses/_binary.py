"""One logit for two classes, and labels that each have one: a two-class member of the family a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, Stage, Table, full_precision, values_are_seen
from autobalance.losses._drop_in import BinaryDropIn
from autobalance.losses._parametric import ParametricLoss
from autobalance.losses._schedule import ScheduledLoss


class BinaryLoss(Loss, BinaryDropIn):
    """A two-class loss for models with one logit, or with a logit for each of L labels; called like
    ``nn.BCEWithLogitsLoss``.

    A logit z stands for the two logits (-z/2, z/2) of "no" and "yes", so that sigmoid(z) is the softmax of the two; a
    target t between 0 and 1 for the shares (1 - t, t). The mean is over all of them, whatever the weights, as torch's.

    Args:
        base: a loss of two classes, "no" and "yes". One with groups has a column for each label. Or one such loss for
            each label, without groups; they may differ in all but reduction, label smoothing and γ.

    Raises:
        InputError: another number of classes, a plug-in, or losses that cannot stand side by side.

    Example:
        >>> from autobalance.losses.named import fixed_point
        >>> loss = BinaryLoss([fixed_point("la", [1000 - n, n]) for n in (400, 30, 5)])
        >>> loss(torch.zeros(8, 3), torch.ones(8, 3)).item() > torch.log(torch.tensor(2.0))
        tensor(True)
    """

    def __init__(self, base: Loss | Sequence[Loss]) -> None:
        super().__init__()
        each = [base] if isinstance(base, Loss) else list(base)
        for loss in each:
            if loss.num_classes != 2 or not all(isinstance(stage.loss, ParametricLoss) for stage in loss.stages):
                raise InputError(f"a binary loss is made of members of the family for two classes, not of a "
                                 f"{type(loss).__name__} for {loss.num_classes}")  # fmt: skip
        self.base = base if isinstance(base, Loss) else _side_by_side(each)
        self.num_classes, self.reduction = 2, self.base.reduction
        self.num_labels = self.base.num_groups
        self.class_names = self.base.class_names
        biases = [loss.start_bias for loss in each]
        held = [bias if bias is not None else torch.zeros(2) for bias in biases]
        shift = torch.stack([bias[1] - bias[0] for bias in held]).expand(max(1, self.num_labels)).clone()
        none = all(bias is None for bias in biases)
        self._start_bias: Tensor | None
        self.register_buffer("_start_bias", None if none else shift, persistent=False)

    @property
    def start_bias(self) -> Tensor | None:
        """b_yes - b_no, (1,) or (L,)."""
        return self._start_bias

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those of the two-class loss."""
        stages = self.base.stages
        return (Stage(0.0, self),) if len(stages) == 1 else tuple(Stage(at, BinaryLoss(loss)) for at, loss in stages)

    def start_epoch(self, progress: float) -> None:
        """Tells the two-class loss."""
        self.base.start_epoch(progress)

    def reweighted(self, weight: Table) -> BinaryLoss:
        return BinaryLoss(self.base.reweighted(weight))

    def forward(
        self, input: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None, **more: Any
    ) -> Tensor:
        """The loss.

        Args:
            input: logits, of any shape; (B, L) or (B, L, d1, ...) with a column for each label.
            target: 0, 1 or between, of the same shape and any type.
            group, features: ignored.
            **more: see `ParametricLoss.forward`.

        Returns:
            a scalar, or for ``reduction="none"`` of the shape of the logits.

        Raises:
            InputError: shapes that do not fit; or a target that is not within 0 and 1, on the CPU.
        """
        self._check(input, target)
        z, yes = full_precision(input).flatten(), target.flatten()
        yes = yes.to(z.dtype)
        label = None
        if self.num_labels:
            column = torch.arange(self.num_labels, device=input.device)
            label = column.view(-1, *[1] * (input.dim() - 2)).expand(input.shape).flatten()
        value = self.base(torch.stack([-z / 2, z / 2], 1), torch.stack([1 - yes, yes], 1), group=label, **more)
        return value.view(input.shape) if self.reduction == "none" else value

    def _check(self, logits: Tensor, target: Tensor) -> None:
        if target.shape != logits.shape:
            raise InputError(f"target has shape {tuple(target.shape)}, logits have {tuple(logits.shape)}: each logit "
                             "needs a target, 0, 1 or between")  # fmt: skip
        if self.num_labels and (logits.dim() < 2 or logits.shape[1] != self.num_labels):
            raise InputError(f"logits have shape {tuple(logits.shape)}, the loss has {self.num_labels} labels: it "
                             f"needs (batch, {self.num_labels}), or (batch, {self.num_labels}, ...)")  # fmt: skip
        if values_are_seen(target) and target.numel():
            low, high = target.aminmax()
            if low < 0 or high > 1:
                bad = low if low < 0 else high
                raise InputError(f"target {bad.item()} is out of range: it is 0, 1 or between")

    def extra_repr(self) -> str:
        return f"{self.num_labels} labels" if self.num_labels else "one logit"


def _side_by_side(losses: Sequence[Loss]) -> Loss:
    """One loss with a column for each of the ``losses``, and a stage wherever one of them has one."""
    if not losses:
        raise InputError("no losses: a binary loss needs one for each label")
    starts = sorted({stage.start for loss in losses for stage in loss.stages})
    stages = [(start, _columns([loss.at(start) for loss in losses])) for start in starts]
    return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)


def _columns(losses: Sequence[Any]) -> ParametricLoss:
    """Members of the family, (2,), as one with tables (2, L). A scale becomes part of Δ and m."""
    first: ParametricLoss = losses[0]
    for loss in losses:
        if loss.num_groups:
            raise InputError(f"a label's loss has {loss.num_groups} groups: give labels losses without groups")
        for name in ("reduction", "label_smoothing", "gamma"):
            if (own := getattr(loss, name)) != (others := getattr(first, name)):
                raise InputError(f"the labels' losses differ in {name}: {others} and {own}")
    return ParametricLoss(
        2,
        reduction=first.reduction,
        label_smoothing=first.label_smoothing,
        class_names=first.class_names,
        dtype=first.w.dtype,
        w=torch.stack([loss.w for loss in losses], 1),
        l=torch.stack([loss.l for loss in losses], 1),
        delta=torch.stack([loss.scale * loss.delta for loss in losses], 1),
        margin=torch.stack([loss.scale * loss.margin for loss in losses], 1),
        gamma=first.gamma.item(),
    )
