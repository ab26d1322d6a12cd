"""A member of the family as a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autobalance.losses._base import Member, check_call, check_reduction
from autobalance.losses._family import IDENTITY, parametric_loss


class ParametricLoss(Member):
    """A member of the family with its parameters held as buffers; called like ``nn.CrossEntropyLoss``.

    Args:
        num_classes: K.
        w, l, delta, margin: numbers a class, (K,), or a class and group, (K, G). None: no effect.
        scale, gamma: numbers.
        reduction: ``mean`` (sum of w_y * loss over the sum of w_y, as torch), ``batch_mean``, ``sum`` or ``none``.
        class_names, group_names: for people; saved with the loss.
        dtype: of the buffers; torch's default where None.

    Example:
        >>> loss = ParametricLoss(2, l=[0.0, 1.0])
        >>> z, y = torch.tensor([[0.3, -1.2]]), torch.tensor([1])
        >>> torch.allclose(loss(z, y), torch.log1p((z[0, 0] - z[0, 1] - 1).exp()))
        True
    """

    margin: Tensor
    scale: Tensor
    gamma: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        w: Tensor | list | None = None,
        l: Tensor | list | None = None,  # noqa: E741 - the published symbol
        delta: Tensor | list | None = None,
        margin: Tensor | list | None = None,
        scale: float = 1.0,
        gamma: float = 0.0,
        reduction: str = "mean",
        class_names: tuple[str, ...] | list[str] | None = None,
        group_names: tuple[str, ...] | list[str] | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_classes, self.reduction = num_classes, check_reduction(reduction)
        self.num_groups = 0
        for name, value in {"w": w, "l": l, "delta": delta, "margin": margin}.items():
            if value is None:
                table = torch.full((num_classes,), IDENTITY[name], dtype=dtype)
            else:
                table = torch.as_tensor(value, dtype=dtype or torch.get_default_dtype()).detach().clone()
            self._check_table(name, table)
            self.register_buffer(name, table)
        for name, number in {"scale": scale, "gamma": gamma}.items():
            self.register_buffer(name, torch.as_tensor(float(number), dtype=dtype or torch.get_default_dtype()))
        self.class_names = self._check_names("class", class_names, num_classes)
        self.group_names = self._check_names("group", group_names, self.num_groups)
        self._check_values()

    def _check_table(self, name: str, table: Tensor) -> None:
        if table.dim() not in (1, 2) or len(table) != self.num_classes or not table.numel():
            raise ValueError(f"{name} has shape {tuple(table.shape)}; a loss over {self.num_classes} classes needs "
                             f"({self.num_classes},) or ({self.num_classes}, number of groups)")  # fmt: skip
        groups = table.shape[1] if table.dim() == 2 else 0
        if groups and self.num_groups and groups != self.num_groups:
            raise ValueError(f"{name} has {groups} groups, an earlier parameter has {self.num_groups}")
        self.num_groups = self.num_groups or groups

    @staticmethod
    def _check_names(kind: str, names: tuple[str, ...] | list[str] | None, number: int) -> tuple[str, ...] | None:
        if names is not None and len(names) != number:
            raise ValueError(f"{len(names)} {kind} names for {number} {'classes' if kind == 'class' else 'groups'}")
        return None if names is None else tuple(names)

    def _check_values(self) -> None:
        """Refuses NaN and infinity, and notes which parameters have an effect, so that the others cost nothing."""
        for name in IDENTITY:
            value = getattr(self, name)
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite: {value.tolist()}")
        if (self.w < 0).any():
            raise ValueError(f"w has a negative weight: {self.w.tolist()}")
        if self.gamma < 0:
            raise ValueError(f"gamma is {self.gamma.item()}; the focusing exponent is at least 0")
        if self.scale <= 0:
            raise ValueError(f"scale is {self.scale.item()}; the factor of the logits is above 0")
        self._active = tuple(name for name, at in IDENTITY.items() if (getattr(self, name) != at).any())

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._check_values()

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._active}

    def replace(self, **changes: Any) -> ParametricLoss:
        same = {name: getattr(self, name) for name in (*IDENTITY, "reduction", "class_names", "group_names")}
        return ParametricLoss(self.num_classes, **{**same, "dtype": self.w.dtype, **changes}).to(self.w.device)

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
            ValueError: see `check_call`.
        """
        check_call(logits, target, group, self.num_classes, self.num_groups)
        return self.value(logits, target, self.parameters_in_effect, group)

    def extra_repr(self) -> str:
        shown = ", ".join(self._active) or "plain cross-entropy"
        return f"{self.num_classes} classes, {shown}, reduction={self.reduction!r}"
