"""A member of the regression family as a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.common.density import bin_index, check_edges
from autobalance.losses._base import Member, check_reduction
from autobalance.losses._regression import ERRORS, REGRESSION_DEFAULTS, REGRESSION_TABLES, regression_loss


class RegressionLoss(Member):
    """A member of the regression family with its parameters held as buffers; called as ``loss(prediction, target)``.

    Args:
        bin_edges: (K + 1,), ascending, in the unit of the targets; targets beyond the ends are in the outer bins.
        error: ``l1``, ``mse``, ``huber`` or ``balanced-mse``.
        w: a weight a bin, (K,). None: ones.
        l, delta: numbers a bin for ``balanced-mse``, (K,). None: no effect.
        scale: s, what errors are measured in: the standard deviation of the targets makes all else free of units.
        gamma, beta: focusing of focal-R; gamma 0 is off.
        threshold: where Huber's error turns from square to linear, in units of s.
        noise_sigma: σ of ``balanced-mse``, in units of s.
        reduction: ``batch_mean`` (over B, as released), ``mean`` (over the sum of the w_b), ``sum`` or ``none``.
        dtype: of the buffers; torch's default where None.

    Raises:
        ValueError: values that cannot be, or that have no effect on this error.

    Example:
        >>> loss = RegressionLoss([0.0, 10.0, 20.0], w=[0.5, 1.5])
        >>> loss(torch.tensor([4.0, 12.0]), torch.tensor([5.0, 14.0])).item()
        1.75
    """

    bin_edges: Tensor
    scale: Tensor
    gamma: Tensor
    beta: Tensor
    threshold: Tensor
    noise_sigma: Tensor

    #: Bins may be empty: they are neighbours on a scale, and not what is predicted.
    ordered = True

    def __init__(
        self,
        bin_edges: Tensor | Sequence[float],
        *,
        error: str = "l1",
        w: Tensor | Sequence[float] | None = None,
        l: Tensor | Sequence[float] | None = None,  # noqa: E741 - the published symbol
        delta: Tensor | Sequence[float] | None = None,
        scale: float = 1.0,
        gamma: float = 0.0,
        beta: float = REGRESSION_DEFAULTS["beta"],
        threshold: float = 1.0,
        noise_sigma: float = 1.0,
        reduction: str = "batch_mean",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if error not in ERRORS:
            raise ValueError(f"error is {error!r}; choose one of {', '.join(ERRORS)}")
        dtype = dtype or torch.get_default_dtype()
        edges = check_edges(bin_edges)
        self.register_buffer("bin_edges", edges)
        self.num_classes, self.error, self.reduction = len(edges) - 1, error, check_reduction(reduction)
        for name, value in {"w": w, "l": l, "delta": delta}.items():
            if value is None:
                table = torch.full((self.num_classes,), REGRESSION_DEFAULTS[name], dtype=dtype)
            else:
                table = torch.as_tensor(value, dtype=dtype).detach().clone()
            if table.shape != (self.num_classes,):
                raise ValueError(f"{name} has shape {tuple(table.shape)}; {len(edges)} bin edges make "
                                 f"{self.num_classes} bins, so it needs ({self.num_classes},)")  # fmt: skip
            self.register_buffer(name, table)
        numbers = {"scale": scale, "gamma": gamma, "beta": beta, "threshold": threshold, "noise_sigma": noise_sigma}
        for name, number in numbers.items():
            self.register_buffer(name, torch.as_tensor(float(number), dtype=dtype))
        self._check_values()

    def _check_values(self) -> None:
        """Refuses what cannot be or has no effect, and notes what differs from its default."""
        for name in REGRESSION_DEFAULTS:
            value = getattr(self, name)
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite: {value.tolist()}")
        if (self.w < 0).any():
            raise ValueError(f"w has a negative weight: {self.w.tolist()}")
        if self.gamma < 0:
            raise ValueError(f"gamma is {self.gamma.item()}; the focusing exponent is at least 0")
        for name in ("scale", "beta", "threshold", "noise_sigma"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name).item()}; it is above 0")
        self._active = tuple(name for name, at in REGRESSION_DEFAULTS.items() if (getattr(self, name) != at).any())
        without = {"gamma"} if self.error == "balanced-mse" else {"l", "delta"}
        if idle := without & set(self._active):
            raise ValueError(f"{min(idle)} has no effect on the error {self.error}")

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._check_values()

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._active}

    @property
    def searchable(self) -> tuple[str, ...]:
        return REGRESSION_TABLES if self.error == "balanced-mse" else ("w",)

    def replace(self, **changes: Any) -> RegressionLoss:
        same = {name: getattr(self, name) for name in (*REGRESSION_DEFAULTS, "error", "reduction")}
        return RegressionLoss(self.bin_edges, **{**same, "dtype": self.w.dtype, **changes}).to(self.w.device)

    def value(
        self, output: Tensor, target: Tensor, parameters: Mapping[str, Tensor], group: Tensor | None = None
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
            ValueError: other shapes, or a target that is not finite (looked at on the CPU only).
        """
        return self.value(prediction, target, self.parameters_in_effect)

    def extra_repr(self) -> str:
        return f"{self.num_classes} bins, {', '.join((self.error, *self._active))}, reduction={self.reduction!r}"


def as_columns(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions and targets as (B,).

    Raises:
        ValueError: other shapes than (B,) or (B, 1), or a target that is no finite number.
    """
    for name, value in {"prediction": prediction, "target": target}.items():
        if value.dim() not in (1, 2) or value.shape[1:] not in ((), (1,)):
            raise ValueError(f"{name} has shape {tuple(value.shape)}; a regression loss needs (B,) or (B, 1)")
    if len(prediction) != len(target):
        raise ValueError(f"target has {len(target)} rows, prediction has {len(prediction)}")
    if target.device.type == "cpu" and not torch.isfinite(target).all():
        raise ValueError(f"target {target[~torch.isfinite(target)][0].item()} is not finite")
    return prediction.flatten(), target.flatten()
