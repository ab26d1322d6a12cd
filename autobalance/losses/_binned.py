"""A member of the family of regression losses as a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import bin_index, check_edges
from autobalance.losses._base import Table, check_reduction
from autobalance.losses._member import Held
from autobalance.losses._regression import ERRORS, REGRESSION_DEFAULTS, REGRESSION_TABLES, regression_loss


class RegressionParameters(TypedDict, total=False):
    """Of `RegressionLoss`."""

    w: Table | None
    l: Table | None  # noqa: E741 - the published symbol
    delta: Table | None
    scale: float
    gamma: float
    beta: float
    threshold: float
    noise_sigma: float


class RegressionLoss(Held):
    """A member of the family of regression losses, its parameters held as buffers: ``loss(prediction, target)``.

    Args:
        bin_edges: (K + 1,), ascending, in the unit of the targets; targets beyond the ends are in the outer bins.
        error: ``l1``, ``mse``, ``huber`` or ``balanced-mse``.
        reduction: ``batch_mean`` (over B, as released), ``mean`` (over the sum of the w_b), ``sum`` or ``none``.
        dtype: of the buffers; torch's default where None.
        **parameters: ``w``, a weight a bin, (K,), ones where None; ``l`` and ``delta``, numbers a bin for
            ``balanced-mse``, (K,), without effect where None; ``scale``, s, what errors are measured in (the standard
            deviation of the targets makes all else free of units); ``gamma`` and ``beta``, the focusing of focal-R,
            which gamma 0 turns off; ``threshold``, where Huber's error turns from square to linear, in units of s;
            ``noise_sigma``, σ of ``balanced-mse``, in units of s.

    Raises:
        InputError (a ValueError): values that cannot be, or that have no effect on this error.

    Example:
        >>> loss = RegressionLoss([0.0, 10.0, 20.0], w=[0.5, 1.5])
        >>> loss(torch.tensor([4.0, 12.0]), torch.tensor([5.0, 14.0])).item()
        1.75
    """

    task = "regression"
    settings = ("bin_edges", "error", "reduction")
    defaults = REGRESSION_DEFAULTS
    tables = REGRESSION_TABLES
    positive = ("scale", "beta", "threshold", "noise_sigma")
    ordered = True

    bin_edges: Tensor
    scale: Tensor
    beta: Tensor
    threshold: Tensor
    noise_sigma: Tensor

    def __init__(
        self,
        bin_edges: Tensor | Sequence[float],
        *,
        error: str = "l1",
        reduction: str = "batch_mean",
        dtype: torch.dtype | None = None,
        **parameters: Unpack[RegressionParameters],
    ) -> None:
        super().__init__()
        if error not in ERRORS:
            raise InputError(f"error is {error!r}; choose one of {', '.join(ERRORS)}")
        edges = check_edges(bin_edges)
        self.register_buffer("bin_edges", edges)
        self.num_classes, self.error, self.reduction = len(edges) - 1, error, check_reduction(reduction)
        self._hold(parameters, dtype)

    def _check_table(self, name: str, table: Tensor) -> None:
        if table.shape != (self.num_classes,):
            raise InputError(f"{name} has shape {tuple(table.shape)}; {len(self.bin_edges)} bin edges make "
                             f"{self.num_classes} bins, so it needs ({self.num_classes},)")  # fmt: skip

    def _check_values(self) -> None:
        """Refuses what has no effect, too."""
        super()._check_values()
        without = {"gamma"} if self.error == "balanced-mse" else {"l", "delta"}
        if idle := without & set(self._active):
            raise InputError(f"{min(idle)} has no effect on the error {self.error}")

    @property
    def searchable(self) -> tuple[str, ...]:
        return REGRESSION_TABLES if self.error == "balanced-mse" else ("w", "gamma")

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        prediction, target = as_columns(output, target)
        bins = bin_index(target, self.bin_edges)
        return regression_loss(prediction, target, bins, parameters, self.error, self.reduction)

    def forward(
        self, prediction: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss.

        Args:
            prediction: (B,) or (B, 1).
            target: (B,) or (B, 1), in the unit of the bin edges.
            group, features: ignored.

        Returns:
            a scalar, or (B,) for ``reduction="none"``.

        Raises:
            InputError: other shapes, or a target that is not finite (looked at on the CPU only).
        """
        return self.value(prediction, target, self.parameters_in_effect)

    def extra_repr(self) -> str:
        return f"{self.num_classes} bins, {', '.join((self.error, *self._active))}, reduction={self.reduction!r}"


def as_columns(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions and targets as (B,).

    Raises:
        InputError: other shapes than (B,) or (B, 1), or a target that is no finite number.
    """
    for name, value in {"prediction": prediction, "target": target}.items():
        if value.dim() not in (1, 2) or value.shape[1:] not in ((), (1,)):
            raise InputError(f"{name} has shape {tuple(value.shape)}; a regression loss needs (B,) or (B, 1)")
    if len(prediction) != len(target):
        raise InputError(f"target has {len(target)} rows, prediction has {len(prediction)}")
    if target.device.type == "cpu" and not torch.isfinite(target).all():
        raise InputError(f"target {target[~torch.isfinite(target)][0].item()} is not finite")
    return prediction.flatten(), target.flatten()
