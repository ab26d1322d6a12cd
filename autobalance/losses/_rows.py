"""What a loss is called with, as rows: logits (N, K), targets (N,) or shares (N, K), groups (N,)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import check_group


class Rows(NamedTuple):
    """A call of a loss over K classes, each position of an image or a text in a row of its own.

    Args:
        logits: (N, K).
        target: classes (N,), int64; or shares of the classes (N, K), floating.
        group: (N,), int64, where the loss has groups; else None.
        shape: of losses that are not reduced.
    """

    logits: Tensor
    target: Tensor
    group: Tensor | None
    shape: torch.Size

    @classmethod
    def of(cls, logits: Tensor, target: Tensor, group: Tensor | None, num_classes: int, num_groups: int) -> Rows:
        """From logits (K,), (B, K) or (B, K, d1, ...), as ``nn.CrossEntropyLoss`` is called.

        Args:
            logits: of K classes, in the first dimension where there is one alone, else in the second.
            target: classes of the shape of the logits without their dimension of classes; or shares of the classes, of
                the logits' shape.
            group: of the shape of the classes, or (B,) for all positions of a sample.
            num_classes, num_groups: K, and G or 0.

        Raises:
            InputError: shapes or types that do not fit.
        """
        if not num_groups and target.dtype is torch.int64 and logits.dim() == 2:  # the common call, without detours
            shape = target.shape
            if logits.shape == (*shape, num_classes):
                return cls(logits, target, None, shape)
        place = 0 if logits.dim() == 1 else 1
        if not logits.dim() or logits.shape[place] != num_classes:
            raise InputError(f"logits have shape {tuple(logits.shape)}, the loss has {num_classes} classes: "
                             f"it needs (batch, {num_classes}), or (batch, {num_classes}, ...)")  # fmt: skip
        shape = logits.shape[:place] + logits.shape[place + 1 :]
        of_shares = target.is_floating_point() and target.shape == logits.shape
        if not of_shares and target.dtype != torch.int64:
            raise InputError(f"target has dtype {target.dtype}; class indices are torch.int64; shares of classes have "
                             f"the logits' shape {tuple(logits.shape)}, not {tuple(target.shape)}")  # fmt: skip
        if not of_shares and target.shape != shape:
            raise InputError(f"target has shape {tuple(target.shape)}, logits have {tuple(logits.shape)}: classes need "
                             f"{tuple(shape)}, shares of the classes {tuple(logits.shape)}")  # fmt: skip
        if not num_groups:
            group = None
        elif group is not None and group.dim() == 1 < len(shape) and len(group) == shape[0]:
            group = group.view(-1, *[1] * (len(shape) - 1)).expand(shape)
        if num_groups:
            check_group(group, shape, num_groups)
        if logits.dim() != 2:
            logits = logits.movedim(place, -1).reshape(-1, num_classes)
            target = target.movedim(place, -1).reshape(-1, num_classes) if of_shares else target.reshape(-1)
            group = None if group is None else group.reshape(-1)
        return cls(logits, target, group, shape)
