"""What every loss of the package offers to a training loop, and what all of them check and reduce alike.

A training loop needs two things beyond ``nn.CrossEntropyLoss``:

    for epoch in range(epochs):
        loss.start_epoch(epoch / epochs)                       # losses with a schedule or statistics; others ignore it
        for x, target in batches:
            if loss.needs_features:                            # IB, CSL
                logits, features = model(x, return_features=True)
                value = loss(logits, target, features=features)
            else:
                value = loss(model(x), target)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autobalance.common import InputError

REDUCTIONS = ("mean", "batch_mean", "sum", "none")
#: Numbers a class, bin or cell.
Table = Tensor | Sequence[float] | Sequence[Sequence[float]]


class Stage(NamedTuple):
    """A part of training: from ``start``, a share of all epochs, on, ``loss`` is trained with."""

    start: float
    loss: Loss


class Loss(nn.Module):
    """Base of all losses: called as ``loss(logits, target, group=None, features=None)``.

    Attributes:
        num_classes: K.
        reduction: see `reduce`.
        needs_features: whether the training loop has to hand over ``features``: either (B, D), what the model's last
            layer is given, or (B,), their norms.
        takes_shares: whether a target can be shares of the classes, (B, K), as mixup makes them.
        num_groups: G, 0 without groups.
        class_names, group_names: for people; None where there are none.
    """

    num_classes: int
    reduction: str
    needs_features: bool = False
    takes_shares: bool = False
    num_groups: int = 0
    class_names: tuple[str, ...] | None = None
    group_names: tuple[str, ...] | None = None

    @property
    def start_bias(self) -> Tensor | None:
        """b, (K,), to be added to the bias of the model's output before training; None: nothing is."""
        return None

    @torch.no_grad()
    def add_start_bias(self, bias: Tensor | None) -> None:
        """Adds `start_bias`, where there is one, to the bias of the model's output: once, before training.

        Args:
            bias: of the shape of `start_bias`, changed in place; the best is to leave it out of the weight decay.

        Raises:
            InputError: the loss has a start bias, and ``bias`` is None or has another shape.
        """
        if self.start_bias is None:
            return
        if bias is None or bias.shape != self.start_bias.shape:
            shape = "is None" if bias is None else f"has shape {tuple(bias.shape)}"
            raise InputError(
                f"the bias of the model's output {shape}; the loss's start bias needs {tuple(self.start_bias.shape)}"
            )
        bias += self.start_bias.to(bias)

    def start_epoch(self, progress: float) -> None:
        """Tells the loss that an epoch begins. Losses without a schedule or statistics ignore it.

        Args:
            progress: epochs done over all epochs, from 0 (a training run begins) to below 1.
        """

    def export_python(self, path: str | os.PathLike[str]) -> None:
        """Writes the loss as a Python file of under 60 lines that needs torch alone: a class ``Loss``, whose values and
        gradients are those of this loss up to rounding.

        It is called as ``Loss()(logits, target)`` with logits (B, K) and classes (B,), or (B, K, d1, ...) and (B, d1,
        ...), with ``group=g`` of the classes' shape where there are groups; or ``Loss()(prediction, target)``.

        Args:
            path: the file to write or replace.

        Raises:
            InputError: the loss is no member of a family, or has label smoothing.
        """
        from autobalance.losses._export import write_python

        write_python(self, path)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of training in order, the first from 0 on; a single one unless the loss has a schedule."""
        return (Stage(0.0, self),)

    def at(self, progress: float) -> Loss:
        """The loss of the stage that ``progress`` (0 to 1) falls into. Changes nothing.

        Raises:
            InputError: progress is not within 0 and 1.
        """
        check_progress(progress)
        return [stage.loss for stage in self.stages if stage.start <= progress][-1]

    def reweighted(self, weight: Table) -> Loss:
        """A loss like this one with ``weight`` for its w; what it has collected is copied along.

        Raises:
            InputError: it has no weights; or wrong ones, see `class_weights`.
        """
        if "w" not in self._buffers:
            raise InputError(f"{type(self).__name__} has no weights")
        other = deepcopy(self)
        old = self._buffers["w"]
        assert old is not None
        other._buffers["w"] = class_weights(torch.as_tensor(weight), self.num_classes, old.dtype).to(old.device)
        return other


def unreduced(loss: Loss) -> Loss:
    """A copy of a loss, and of all that is inside it, with the reduction ``none``: each sample's loss, (B,)."""
    other = deepcopy(loss)
    for part in other.modules():
        if isinstance(part, Loss):
            part.reduction = "none"
    return other


def check_reduction(reduction: str) -> str:
    """The reduction itself.

    Raises:
        InputError: it is none of `REDUCTIONS`.
    """
    if reduction not in REDUCTIONS:
        raise InputError(f"reduction is {reduction!r}; choose one of {', '.join(REDUCTIONS)}")
    return reduction


def check_progress(progress: float) -> float:
    """The progress itself.

    Raises:
        InputError: it is not within 0 and 1.
    """
    if not 0 <= progress <= 1:
        raise InputError(f"progress is {progress}; it is epochs done over all epochs, between 0 and 1")
    return progress


def class_weights(w: Table | None, num_classes: int, dtype: torch.dtype | None = None) -> Tensor:
    """``w`` as a tensor of its own, (K,); ones where it is None.

    Raises:
        InputError: another shape, or a weight that is negative or not finite.
    """
    if w is None:
        return torch.ones(num_classes, dtype=dtype)
    table = torch.as_tensor(w, dtype=dtype or torch.get_default_dtype()).detach().clone()
    if table.shape != (num_classes,):
        raise InputError(f"w has shape {tuple(table.shape)}; a loss over {num_classes} classes needs ({num_classes},)")
    if not torch.isfinite(table).all() or (table < 0).any():
        raise InputError(f"w has a weight that is negative or not finite: {table.tolist()}")
    if not table.any():
        raise InputError("w is 0 for every class: no sample would be learned from; give a weight above 0")
    return table


def full_precision(logits: Tensor) -> Tensor:
    """The logits in float32 where they are in half precision."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def reduce(losses: Tensor, weights: Tensor | None, reduction: str, counted: Tensor | None = None) -> Tensor:
    """Reduces per-sample ``losses`` (B,) that already carry their ``weights`` (B,).

    ``mean``: sum of the losses over the sum of the weights, as torch's weighted cross-entropy; ``batch_mean``: over the
    samples that are ``counted``, (B,), or all B; ``sum``; ``none``.
    """
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    if reduction == "mean" and weights is not None:
        return total / weights.sum()
    return total / (losses.numel() if counted is None else counted.sum())


def feature_norms(features: Tensor | None, batch: int, order: int, loss: str) -> Tensor:
    """The norm of each sample's features, (B,).

    Args:
        features: (B, D), or (B,) where they are norms already.
        batch: B.
        order: 1 for the L1 norm, 2 for the L2 norm.
        loss: its name, for the error.

    Raises:
        InputError: no features, or not one row a sample.
    """
    if features is None:
        raise InputError(f"{loss} needs the features of the model's last layer: call loss(logits, target, "
                         f"features=...) with shape ({batch}, D), or ({batch},) for their L{order} norms")  # fmt: skip
    if features.dim() not in (1, 2) or len(features) != batch:
        raise InputError(f"features have shape {tuple(features.shape)}, logits have {batch} rows: {loss} needs "
                         f"({batch}, D), or ({batch},) for their L{order} norms")  # fmt: skip
    if features.dim() == 1:
        return features
    return torch.linalg.vector_norm(full_precision(features), ord=order, dim=1)


def check_call(logits: Tensor, target: Tensor, group: Tensor | None, num_classes: int, num_groups: int = 0) -> None:
    """Raises the InputErrors of a loss call that cannot be right; shared by all losses of the package.

    The ranges are checked on the CPU only, see `check_range`.
    """
    if logits.dim() != 2 or logits.shape[1] != num_classes:
        raise InputError(f"logits have shape {tuple(logits.shape)}, the loss has {num_classes} classes: "
                         f"it needs (batch, {num_classes})")  # fmt: skip
    if target.shape != logits.shape[:1]:
        raise InputError(f"target has shape {tuple(target.shape)}, logits have {logits.shape[0]} rows")
    if target.dtype != torch.int64:
        raise InputError(f"target has dtype {target.dtype}; class indices are torch.int64")
    check_range("target", target, num_classes, "classes")
    if num_groups:
        check_group(group, target.shape, num_groups)


def check_group(group: Tensor | None, shape: torch.Size, num_groups: int) -> None:
    """Raises an InputError where a loss of ``num_groups`` groups is called without the group of each target."""
    if group is None:
        raise InputError(f"the loss has {num_groups} groups: call loss(logits, target, group=...)")
    if group.shape != shape:
        raise InputError(f"group has shape {tuple(group.shape)}, target has {tuple(shape)}")
    if group.dtype != torch.int64:
        raise InputError(f"group has dtype {group.dtype}; group indices are torch.int64")
    check_range("group", group, num_groups, "groups")


def values_are_seen(tensor: Tensor) -> bool:
    """Whether a check may look at values: on the CPU only, and not while a graph is compiled or a function transformed.

    On an accelerator that would wait for the device, whose own kernels refuse an index that is out of range.
    """
    hidden = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    return tensor.device.type == "cpu" and not hidden


def check_range(name: str, index: Tensor, number: int, unit: str) -> None:
    """Raises an InputError for an index that is not 0 to ``number`` - 1, where `values_are_seen`."""
    if not values_are_seen(index):
        return
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= number):
        bad = index[(index < 0) | (index >= number)][0].item()
        raise InputError(f"{name} {bad} is out of range: the loss has {number} {unit}, 0 to {number - 1}")
