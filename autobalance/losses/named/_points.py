"""The named fixed losses: points of the family, points with a schedule, and plug-ins, from the class counts alone.

``docs/losses.md`` has all of them in a table, with formula, source and where their hyper-parameters come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import (
    CSL,
    Equalization,
    InfluenceBalanced,
    Loss,
    ParametricLoss,
    ReleasedCSL,
    ScheduledLoss,
    deferred,
)
from autobalance.losses.named import _class_points as class_points
from autobalance.losses.named import _group_points as group_points
from autobalance.losses.named import _regression_points as regression_points
from autobalance.losses.named._class_points import effective_number_weights, inverse_frequency

# Built from other losses: class counts, the keywords that every loss is built with, hyper-parameters -> the loss.


def ldam_drw(
    class_counts: Tensor,
    common: Mapping[str, Any],
    max_m: float = 0.5,
    s: float = 30.0,
    beta: float = 0.9999,
    drw_start: float = 0.8,
) -> Loss:
    """LDAM, with class-balanced weights from ``drw_start`` on (Cao et al. 2019, algorithm 1)."""
    loss = fixed_point("ldam", class_counts, max_m=max_m, s=s, **{**common, "weight": None})
    weight = common["weight"]
    return deferred(loss, effective_number_weights(class_counts, beta) if weight is None else weight, drw_start)


def ib(
    class_counts: Tensor, common: Mapping[str, Any], alpha: float = 1000.0, epsilon: float = 1e-3, start: float = 0.5
) -> Loss:
    """Influence-balanced with inverse-frequency weights, after cross-entropy until ``start`` (Park et al. 2021)."""
    return _influence_balanced(class_counts, common, inverse_frequency(class_counts), alpha, epsilon, 0.0, start)


def ib_cb(
    class_counts: Tensor,
    common: Mapping[str, Any],
    beta: float = 0.9999,
    alpha: float = 1000.0,
    epsilon: float = 1e-3,
    start: float = 0.5,
) -> Loss:
    """Influence-balanced with class-balanced weights."""
    weight = effective_number_weights(class_counts, beta)
    return _influence_balanced(class_counts, common, weight, alpha, epsilon, 0.0, start)


def ib_focal(
    class_counts: Tensor,
    common: Mapping[str, Any],
    gamma: float = 1.0,
    alpha: float = 1000.0,
    epsilon: float = 1e-3,
    start: float = 0.5,
) -> Loss:
    """Influence-balanced with focusing."""
    return _influence_balanced(class_counts, common, inverse_frequency(class_counts), alpha, epsilon, gamma, start)


def _influence_balanced(
    class_counts: Tensor,
    common: Mapping[str, Any],
    weight: Tensor,
    alpha: float,
    epsilon: float,
    gamma: float,
    start: float,
) -> Loss:
    weight = weight if common["weight"] is None else common["weight"]
    reduction = common["reduction"] or "batch_mean"
    late = InfluenceBalanced(len(class_counts), weight, alpha, epsilon, gamma, reduction, common["dtype"])
    if start == 0:
        return late
    early = fixed_point("ce", class_counts, **{**common, "weight": None, "reduction": reduction})
    return ScheduledLoss([(0.0, early), (start, late)])


def equalization(
    class_counts: Tensor, common: Mapping[str, Any], threshold: float | None = None, probability: float = 0.9
) -> Loss:
    """Softmax equalization (Tan et al. 2020). Rare is a class whose share of the samples is below ``threshold``.

    The threshold defaults to half of a class's mean share, 0.5 / K: for 100 classes, 0.005.
    """
    share = class_counts / class_counts.sum()
    rare = share < (0.5 / len(share) if threshold is None else threshold)
    reduction = common["reduction"] or "mean"
    return Equalization(len(class_counts), rare, probability, common["weight"], reduction, common["dtype"])


def csl(
    class_counts: Tensor,
    common: Mapping[str, Any],
    variant: str = "paper",
    base: str | Loss = "ce",
    reward: float = 2.0,
    strength: float = 1.0,
    entropy_floor: float | None = None,
) -> Loss:
    """The dynamic cost-sensitive term added to ``base``: the name of another point, or any loss.

    ``entropy_floor`` is for the variant ``paper`` and defaults to `CSL`'s.
    """
    if variant not in ("paper", "released"):
        raise InputError(f"csl has no variant {variant!r}; choose paper or released")
    if variant == "released" and entropy_floor is not None:
        raise InputError("entropy_floor has no effect on csl's variant released; leave it out")
    if not isinstance(base, Loss):
        base = fixed_point(base, class_counts, **common)
    elif given := [name for name, value in common.items() if value is not None]:
        raise InputError(f"{given[0]} has no effect on a base loss that is ready: give it to the base loss")
    if variant == "released":
        return ReleasedCSL(base, reward, strength)
    return CSL(base, reward, strength, **({} if entropy_floor is None else {"entropy_floor": entropy_floor}))


_BUILT: dict[str, Callable[..., Loss]] = {
    "ldam-drw": ldam_drw,
    "csl": csl,
    "ib": ib,
    "ib-cb": ib_cb,
    "ib-focal": ib_focal,
    "equalization": equalization,
}


def head_of(name: str) -> str:
    """The head of the models that a loss is published with: "cosine" for LDAM's, whose scale expects cosines."""
    return "cosine" if name in ("ldam", "ldam-drw") else "linear"


def fixed_points(task: str = "classification") -> list[str]:
    """The names that `fixed_point` knows, for ``task`` classification, regression or groups (those for groups alone).

    ``lds``, a regression loss, can also be had for ordered classes: give it ``class_counts``.
    """
    if task == "groups":
        return list(group_points.POINTS)
    if task not in ("classification", "regression"):
        raise InputError(f"no task is called {task!r}; there are classification, regression and groups")
    return [*class_points.POINTS, *_BUILT] if task == "classification" else list(regression_points.POINTS)


def hyper_parameters(name: str) -> dict[str, Any]:
    """The hyper-parameters of a named loss with their defaults.

    Raises:
        InputError: an unknown name.
    """
    every = {**class_points.POINTS, **_BUILT, **group_points.POINTS, **regression_points.POINTS}
    if name not in every:
        raise InputError(f"no fixed loss is called {name!r}; there are {', '.join(every)}")
    parameters = signature(every[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


_OF_BINS = ("bin_counts", "targets", "bin_edges", "error", "scale")


def _check_known(name: str, hyper: Mapping[str, Any]) -> None:
    known = hyper_parameters(name)
    if unknown := set(hyper) - set(known):
        raise InputError(f"{name} has no hyper-parameter {sorted(unknown)[0]!r}; it has {', '.join(known) or 'none'}")


def fixed_point(
    name: str,
    class_counts: Tensor | Sequence[int] | None = None,
    *,
    weight: Tensor | Sequence[float] | None = None,
    reduction: str | None = None,
    class_names: Sequence[str] | None = None,
    cell_counts: Tensor | Sequence[Sequence[int]] | None = None,
    group_names: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    **hyper: Any,
) -> Loss:
    """A published loss by its name: a `ParametricLoss` where it is an exact point of the family.

    Args:
        name: one of `fixed_points`.
        class_counts: n_k, the number of training samples of each class, (K,), all at least 1. Not for regression.
        weight: overrides w, (K,); for ldam-drw and ib, the w of the late stage.
        reduction: as in `ParametricLoss`; where left out ``mean``, and ``batch_mean`` for ib, as released.
        class_names, dtype: as in `ParametricLoss`.
        cell_counts: n_kg, for the losses for groups in place of ``class_counts``: the number of training samples of
            each class in each group, (K, G), all at least 1.
        group_names: as in `ParametricLoss`, with ``cell_counts``.
        **hyper: the loss's own hyper-parameters, for example ``tau``; the paper's values where left out. For regression
            also ``bin_counts`` or ``targets``, ``bin_edges``, ``error`` and ``scale``, see `regression_point`.

    Raises:
        InputError (a ValueError): an unknown name or hyper-parameter, or a class without samples.
    """
    ordered = name == "lds" and class_counts is not None
    if name in regression_points.POINTS and not ordered:
        if class_counts is not None or class_names is not None:
            raise InputError(f"{name} is a regression loss: give bin_counts= or targets=, and no classes")
        of_bins = {key: hyper.pop(key) for key in _OF_BINS if key in hyper}
        _check_known(name, hyper)
        return regression_points.regression_point(
            name, weight=weight, reduction=reduction, dtype=dtype, hyper=hyper, **of_bins
        )
    _check_known(name, hyper)
    if name in group_points.POINTS:
        if cell_counts is None or class_counts is not None:
            raise InputError(f"{name} needs cell_counts, the number of training samples of each class in each group, "
                             "and no class_counts")  # fmt: skip
        return group_points.group_point(
            name,
            cell_counts,
            weight=weight,
            reduction=reduction,
            class_names=class_names,
            group_names=group_names,
            dtype=dtype,
            hyper=hyper,
        )
    if cell_counts is not None or group_names is not None:
        raise InputError(f"{name} has no groups: give it class_counts alone, no cell_counts or group_names")
    if class_counts is None:
        raise InputError(f"{name} needs class_counts, the number of training samples of each class")
    counts = torch.as_tensor(class_counts, dtype=torch.float64)
    if counts.dim() != 1 or not torch.isfinite(counts).all() or (counts < 1).any():
        raise InputError(f"class_counts must be one count of at least 1 a class, got {counts.tolist()}")
    common = {"weight": weight, "reduction": reduction, "class_names": class_names, "dtype": dtype}
    if name in _BUILT:
        return _BUILT[name](counts, common, **hyper)
    parameters = class_points.lds(counts, **hyper) if ordered else class_points.POINTS[name](counts, **hyper)
    if weight is not None:
        parameters["w"] = torch.as_tensor(weight)
    for_people = None if class_names is None else tuple(class_names)
    return ParametricLoss(len(counts), **parameters, reduction=reduction or "mean", class_names=for_people, dtype=dtype)
