"""A member of the family of classification losses as a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from autobalance.common import InputError, check_value
from autobalance.losses._base import Table, check_range, check_reduction
from autobalance.losses._drop_in import DropIn
from autobalance.losses._family import IDENTITY, TABLES, of_target, parametric_loss
from autobalance.losses._member import Held
from autobalance.losses._rows import Rows
from autobalance.losses._shares import shares_loss, smoothed_loss


class Parameters(TypedDict, total=False):
    """Of `ParametricLoss`."""

    w: Table | None
    l: Table | None  # noqa: E741 - the published symbol
    delta: Table | None
    margin: Table | None
    scale: float
    gamma: float


class ParametricLoss(Held, DropIn):
    """A member of the family of classification losses, its parameters held as buffers; called like
    ``nn.CrossEntropyLoss``, see `DropIn`.

    Args:
        num_classes: K.
        reduction: ``mean`` (sum of w_y * loss over the sum of w_y, as torch), ``batch_mean``, ``sum`` or ``none``.
        ignore_index: a target that does not count.
        label_smoothing: ε, from 0 to 1, see `smoothed_loss`. Neither is kept in files: `load_loss` takes them.
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
    of_calls = ("ignore_index", "label_smoothing")
    defaults = IDENTITY
    tables = TABLES
    positive = ("scale",)
    takes_shares = True

    margin: Tensor
    scale: Tensor
    _start_bias: Tensor | None

    def __init__(
        self,
        num_classes: int,
        *,
        reduction: str = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        class_names: Sequence[str] | None = None,
        group_names: Sequence[str] | None = None,
        start_bias: Tensor | Sequence[float] | None = None,
        dtype: torch.dtype | None = None,
        **parameters: Unpack[Parameters],
    ) -> None:
        super().__init__()
        self.num_classes, self.num_groups, self.reduction = num_classes, 0, check_reduction(reduction)
        check_value("label_smoothing", label_smoothing, at_least=0, at_most=1)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
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

    @property
    def searchable(self) -> tuple[str, ...]:
        return tuple(IDENTITY)

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        return parametric_loss(output, target, parameters, group, self.reduction)

    def losses(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Each sample's loss with its weight, (B,), and the weights, (B,), None where all are 1."""
        w = parameters.get("w")
        each = parametric_loss(output, target, parameters, group, "none")
        return each, None if w is None else of_target(w, target, group).to(each.dtype)

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        group: Tensor | None = None,
        features: Tensor | None = None,
        num_items_in_batch: Tensor | float | None = None,
        **_: object,
    ) -> Tensor:
        """The loss.

        Args:
            input: logits, (B, K), (B, K, d1, ...) or (K,).
            target: classes, int64, of the shape of the logits without K; or shares of the classes, floating, of the
                shape of the logits: then it is the mean of the losses of the classes by their shares.
            group: (B,), int64, or of the shape of the classes, where the loss has groups; otherwise ignored.
            features: ignored, as are further keywords that trainers pass along.
            num_items_in_batch: what a mean is over in place of this batch: the samples of all batches whose gradients
                are added up before a step of the optimiser.

        Returns:
            a scalar, or for ``reduction="none"`` of the shape of the classes.

        Raises:
            InputError: see `Rows.of`; or a class that is out of range, on the CPU.
        """
        rows = Rows.of(input, target, group, self.num_classes, self.num_groups)
        if num_items_in_batch is None or self.reduction not in ("mean", "batch_mean"):
            return self._checked(rows, self.reduction)
        return self._checked(rows, "sum") / num_items_in_batch

    def _checked(self, rows: Rows, reduction: str) -> Tensor:
        if torch.compiler.is_compiling():
            return self._of_rows(rows, reduction)
        try:
            return self._of_rows(rows, reduction)
        except (IndexError, RuntimeError):  # torch looks at the classes anyway: a check of our own would take as long
            if not rows.target.is_floating_point():
                counted = rows.target[rows.target != self.ignore_index]
                check_range("target", counted, self.num_classes, "classes")
            raise

    def _of_rows(self, rows: Rows, reduction: str) -> Tensor:
        logits, target, parameters = rows.logits, rows.target, self.parameters_in_effect
        if target.is_floating_point():
            smoothing = self.label_smoothing
            shares = target if not smoothing else (1 - smoothing) * target + smoothing / self.num_classes
            value = shares_loss(logits, shares, parameters, rows.group, reduction)
        elif self.label_smoothing:
            smoothed = reduction, self.ignore_index, self.label_smoothing
            value = smoothed_loss(logits, target, parameters, rows.group, *smoothed)
        else:
            value = parametric_loss(logits, target, parameters, rows.group, reduction, self.ignore_index)
        return value.reshape(rows.shape) if reduction == "none" else value

    def extra_repr(self) -> str:
        shown = ", ".join(self._active) or "plain cross-entropy"
        return f"{self.num_classes} classes, {shown}, reduction={self.reduction!r}"
