"""Fixed losses by their names: the public functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import Loss
from autobalance.losses.named._counts import ClassCounts, check_bins, check_cells, check_classes
from autobalance.losses.named._record import Bins, Index, Settings
from autobalance.losses.named._registry import named_loss, named_losses

_INDEX_OF: dict[str, Index] = {"classification": "classes", "regression": "bins", "groups": "cells"}
#: Keywords of `fixed_point` that are for regression alone.
_OF_BINS = ("bin_counts", "targets", "bin_edges", "error", "scale")


def fixed_points(task: str = "classification") -> list[str]:
    """The names that `fixed_point` knows, for ``task`` classification, regression or groups (those for groups alone).

    ``lds``, a regression loss, can also be had for ordered classes: give it ``class_counts``.
    """
    if task not in _INDEX_OF:
        raise InputError(f"no task is called {task!r}; there are {', '.join(_INDEX_OF)}")
    return list(named_losses(_INDEX_OF[task]))


def hyper_parameters(name: str) -> dict[str, Any]:
    """The hyper-parameters of a named loss with their published values.

    Raises:
        InputError: an unknown name.
    """
    return named_loss(name).hyper_parameters


def fixed_point(
    name: str,
    class_counts: ClassCounts | None = None,
    *,
    weight: Tensor | Sequence[float] | None = None,
    reduction: str | None = None,
    class_names: Sequence[str] | None = None,
    cell_counts: Tensor | Sequence[Sequence[int]] | None = None,
    group_names: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    **hyper: Any,
) -> Loss:
    """A published loss by its name: a `ParametricLoss` or `RegressionLoss` where it is a member of the family.

    Args:
        name: one of `fixed_points`.
        class_counts: n_k, the number of training samples of each class, (K,), all at least 1; or by class, as a dict, a
            ``Counter`` or a pandas ``Series``, where classes are 0..K-1 or in ``class_names``. Not for regression.
        weight: overrides w, (K,); for ldam-drw and ib, the w of the late stage.
        reduction: as in `ParametricLoss`; where left out the published one: ``batch_mean`` for ib, group-dro and
            regression, else ``mean``.
        class_names, dtype: as in `ParametricLoss`.
        cell_counts: n_kg, for the losses for groups in place of ``class_counts``: the number of training samples of
            each class in each group, (K, G), all at least 1.
        group_names: as in `ParametricLoss`, with ``cell_counts``.
        **hyper: the loss's own hyper-parameters, for example ``tau``; the paper's values where left out. For regression
            also ``bin_counts``, the training samples of each bin, (K,), all at least 0, or ``targets``, the training
            targets, (N,); ``bin_edges``, (K + 1,), by default those of `make_bin_edges` for ``targets`` and 0, 1, ...,
            K for ``bin_counts``; ``error``, of the losses that only weight, ``l1`` (the default), ``mse`` or ``huber``;
            and ``scale``, what errors are measured in, see `RegressionLoss`.

    Raises:
        InputError (a ValueError): an unknown name or hyper-parameter, or a class without samples.
    """
    loss = named_loss(name)
    in_bins = loss.index == "bins" and not (loss.ordered and class_counts is not None)
    of_bins = {key: hyper.pop(key) for key in _OF_BINS if in_bins and key in hyper}
    loss.check_values(hyper)
    settings = Settings(
        weight=None if weight is None else torch.as_tensor(weight),
        reduction=reduction,
        class_names=None if class_names is None else tuple(class_names),
        group_names=None if group_names is None else tuple(group_names),
        dtype=dtype,
    )
    if in_bins:
        if any(given is not None for given in (class_counts, class_names, cell_counts, group_names)):
            raise InputError(f"{name} is a regression loss: give bin_counts= or targets=, and no classes or groups")
        counts, bins = _bins(**of_bins)
        settings = replace(settings, bins=bins)
    elif loss.index == "cells":
        if cell_counts is None or class_counts is not None:
            raise InputError(f"{name} needs cell_counts, the number of training samples of each class in each group, "
                             "and no class_counts")  # fmt: skip
        counts = check_cells(cell_counts, class_names, group_names)
    else:
        if cell_counts is not None or group_names is not None:
            raise InputError(f"{name} has no groups: give it class_counts alone, no cell_counts or group_names")
        if class_counts is None:
            raise InputError(f"{name} needs class_counts, the number of training samples of each class")
        counts = check_classes(class_counts, class_names)
    return loss.build(counts, settings, **hyper)


def _bins(
    bin_counts: Tensor | Sequence[float] | None = None,
    targets: Tensor | Sequence[float] | None = None,
    bin_edges: Tensor | Sequence[float] | None = None,
    error: str | None = None,
    scale: float = 1.0,
) -> tuple[Tensor, Bins]:
    counts, edges = check_bins(bin_counts, targets, bin_edges)
    return counts, Bins(edges, error, scale)
