"""A member of the family of classification losses as a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Table, check_call, check_reduction
from autobalance.losses._family import IDENTITY, TABLES, parametric_loss
from autobalance.losses._member import Member


class Parameters(TypedDict, total=False):
    """Of `ParametricLoss`."""

    w: Table | None
    l: Table | None  # noqa: E741 - the published symbol
    delta: Table | None
    margin: Table | None
    scale: float
    gamma: float


class ParametricLoss(Member):
    """A member of the family of classification losses, its parameters held as buffers; called like
    ``nn.CrossEntropyLoss``.

    Args:
        num_classes: K.
        reduction: ``mean`` (sum of w_y * loss over the sum of w_y, as torch), ``batch_mean``, ``sum`` or ``none``.
        class_names, group_names: for people; saved with the loss.
        start_bias: b, (K,), to be added to the bias of the model's output before training, which should not be decayed
            after that. A search that has moved l by offsets of the outputs, l - b, hands it out: from there the model
            begins as it would with l, and need not learn the shift.
        dtype: of the buffers; torch's default where None.
        **parameters: ``w``, ``l``, ``delta`` and ``margin``, numbers a class, (K,), or a class and group, (K, G); the
            numbers ``scale`` and ``gamma``. What is absent or None has no effect.

    Raises:
        InputError (a ValueError): values that cannot be.

    Example:
        >>> loss = ParametricLoss(2, l=[0.0, 1.0])
        >>> z, y = torch.tensor([[0.3, -1.2]]), torch.tensor([1])
        >>> torch.allclose(loss(z, y), torch.log1p((z[0, 0] - z[0, 1] - 1).exp()))
        True
    """

    task = "classification"
    settings = ("num_classes", "reduction", "class_names", "group_names", "start_bias")
    defaults = IDENTITY
    tables = TABLES
    positive = ("scale",)

    margin: Tensor
    scale: Tensor
    _start_bias: Tensor | None

    def __init__(
        self,
        num_classes: int,
        *,
        reduction: str = "mean",
        class_names: Sequence[str] | None = None,
        group_names: Sequence[str] | None = None,
        start_bias: Tensor | Sequence[float] | None = None,
        dtype: torch.dtype | None = None,
        **parameters: Unpack[Parameters],
    ) -> None:
        super().__init__()
        self.num_classes, self.num_groups, self.reduction = num_classes, 0, check_reduction(reduction)
        self._hold(parameters, dtype)
        self.class_names = self._check_names("class", class_names, num_classes)
        self.group_names = self._check_names("group", group_names, self.num_groups)
        self.register_buffer("_start_bias", self._check_bias(start_bias), persistent=False)

    @property
    def start_bias(self) -> Tensor | None:
        return self._start_bias

    def _check_bias(self, bias: Tensor | Sequence[float] | None) -> Tensor | None:
        if bias is None:
            return None
        held = torch.as_tensor(bias).to(self.w).clone()
        if held.shape != (self.num_classes,) or not torch.isfinite(held).all():
            raise InputError(f"start_bias is {held.tolist()}; it is {self.num_classes} finite numbers, one a class")
        return held

    def _check_table(self, name: str, table: Tensor) -> None:
        if table.dim() not in (1, 2) or len(table) != self.num_classes or not table.numel():
            raise InputError(f"{name} has shape {tuple(table.shape)}; a loss over {self.num_classes} classes needs "
                             f"({self.num_classes},) or ({self.num_classes}, number of groups)")  # fmt: skip
        groups = table.shape[1] if table.dim() == 2 else 0
        if groups and self.num_groups and groups != self.num_groups:
            raise InputError(f"{name} has {groups} groups, an earlier parameter has {self.num_groups}")
        self.num_groups = self.num_groups or groups

    @staticmethod
    def _check_names(kind: str, names: Sequence[str] | None, number: int) -> tuple[str, ...] | None:
        if names is not None and len(names) != number:
            raise InputError(f"{len(names)} {kind} names for {number} {'classes' if kind == 'class' else 'groups'}")
        return None if names is None else tuple(names)

    def value(
        self, output: Tensor, target: Tensor, parameters: Mapping[str, Tensor], group: Tensor | None = None
    ) -> Tensor:
        return parametric_loss(output, target, parameters, group, self.reduction)

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss.

        Args:
            logits: (B, K).
            target: (B,), int64.
            group: (B,), int64, where the loss has groups; otherwise ignored.
            features: ignored.

        Returns:
            a scalar, or (B,) for ``reduction="none"``.

        Raises:
            InputError: see `check_call`.
        """
        check_call(logits, target, group, self.num_classes, self.num_groups)
        return self.value(logits, target, self.parameters_in_effect, group)

    def extra_repr(self) -> str:
        shown = ", ".join(self._active) or "plain cross-entropy"
        return f"{self.num_classes} classes, {shown}, reduction={self.reduction!r}"
