"""Losses that are members of a family: all that such a loss says is a formula, from its counts to its parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import fill_empty, normalise
from autobalance.losses import ParametricLoss, RegressionLoss
from autobalance.losses.named._record import Settings

#: Of a member of a family, by name.
Parameters = dict[str, Any]
Formula = Callable[..., Parameters]


def family_member(formula: Formula) -> Callable[..., ParametricLoss]:
    """The builder of a loss over classes or cells.

    Args:
        formula: ``formula(counts, **hyper)`` -> parameters of `ParametricLoss` by name, for counts (K,) or (K, G).
    """

    @wraps(formula)
    def build(counts: Tensor, settings: Settings, **hyper: Any) -> ParametricLoss:
        return _parametric(counts, settings, formula(counts, **hyper))

    return build


def regression_member(formula: Formula) -> Callable[..., ParametricLoss | RegressionLoss]:
    """The builder of a regression loss, whose w has mean one over the training samples.

    A bin without training samples, which a later sample may fall into, has the weight of the nearest bin that has some.
    Without `Settings.bins` the bins are classes that have an order.

    Args:
        formula: ``formula(counts, **hyper)`` -> parameters of `RegressionLoss` by name, for counts (K,).
    """

    @wraps(formula)
    def build(counts: Tensor, settings: Settings, **hyper: Any) -> ParametricLoss | RegressionLoss:
        parameters, bins = formula(counts, **hyper), settings.bins
        if "w" in parameters:
            parameters["w"] = normalise(fill_empty(parameters["w"], counts), counts)
        if bins is None:
            return _parametric(counts, settings, parameters)
        if settings.weight is not None:
            parameters["w"] = settings.weight
        if "error" not in parameters:
            parameters["error"] = bins.error or "l1"
        elif bins.error is not None:
            raise InputError(f"error has no effect on a loss whose error is {parameters['error']}; leave it out")
        reduction = settings.reduction or "batch_mean"
        return RegressionLoss(bins.edges, **parameters, scale=bins.scale, reduction=reduction, dtype=settings.dtype)

    return build


def _parametric(counts: Tensor, settings: Settings, parameters: Parameters) -> ParametricLoss:
    if settings.weight is not None:
        parameters["w"] = settings.weight
    return ParametricLoss(
        len(counts),
        **parameters,
        reduction=settings.reduction or "mean",
        class_names=settings.class_names,
        group_names=settings.group_names,
        dtype=settings.dtype,
    )
