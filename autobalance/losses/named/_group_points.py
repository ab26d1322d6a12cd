"""The named fixed losses for groups: points of the family with K x G tables, and group DRO, from the cell counts.

A cell is a class in a group; n_kg is its number of training samples. ``docs/fairness.md`` has all of them in a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import GroupDRO, Loss, ParametricLoss


def group_weighted(cell_counts: Tensor) -> dict[str, Any]:
    """w_kg = N / (K G n_kg): every cell counts the same; mean one over the samples."""
    return {"w": cell_counts.sum() / (cell_counts.numel() * cell_counts)}


def group_la(cell_counts: Tensor, tau: float = 1.0) -> dict[str, Any]:
    """l_kg = τ log(n_kg / n_g), n_g the samples of the group: logit adjustment by the class frequencies within each
    group (Li et al. 2021, section 4). With n_kg / N it would be the same loss: a constant a group changes nothing."""
    return {"l": tau * torch.log(cell_counts / cell_counts.sum(0))}


def group_vs(cell_counts: Tensor, gamma: float = 0.3, tau: float = 1.0) -> dict[str, Any]:
    """Δ_kg = (n_kg / n_max)^γ, n_max the largest cell, and l of `group_la` (Kini et al. 2021, Group-VS, in the form of
    Li et al. 2021, eq. 4.2: each logit has the Δ of its own class)."""
    return {"delta": (cell_counts / cell_counts.max()) ** gamma, **group_la(cell_counts, tau)}


def group_dro(cell_counts: Tensor, eta: float = 0.01, adjustment: float = 0.0) -> dict[str, Any]:
    """Group DRO, stateful (Sagawa et al. 2020); see `GroupDRO`."""
    return {"eta": eta, "adjustment": adjustment}


POINTS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "group-weighted": group_weighted,
    "group-la": group_la,
    "group-vs": group_vs,
    "group-dro": group_dro,
}


def check_cells(
    counts: Tensor, class_names: Sequence[str] | None = None, group_names: Sequence[str] | None = None
) -> Tensor:
    """``counts`` (K, G) in float64, once every cell has a sample.

    Raises:
        InputError: another shape, or with the first cell that has none.
    """
    cells = torch.as_tensor(counts, dtype=torch.float64)
    if cells.dim() != 2 or not torch.isfinite(cells).all():
        raise InputError(f"cell_counts must be a count for each class in each group, (K, G), got {cells.tolist()}")
    if (cells < 1).any():
        k, g = (cells < 1).nonzero()[0].tolist()
        name = f"class {class_names[k] if class_names else k!r} of group {group_names[g] if group_names else g!r}"
        raise InputError(f"{name} has {cells[k, g].item():g} training samples: every class needs some in every group; "
                         "collect more, or merge or drop the class or the group")  # fmt: skip
    return cells


def group_point(
    name: str,
    cell_counts: Tensor | Sequence[Sequence[int]],
    *,
    weight: Any = None,
    reduction: str | None = None,
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    hyper: Mapping[str, Any],
) -> Loss:
    """A loss for groups by its name; see `autobalance.fixed_point`."""
    cells = check_cells(torch.as_tensor(cell_counts), class_names, group_names)
    parameters = POINTS[name](cells, **hyper)
    names: dict[str, Any] = {
        "class_names": None if class_names is None else tuple(class_names),
        "group_names": None if group_names is None else tuple(group_names),
    }
    if name == "group-dro":
        if weight is not None:
            raise InputError("weight has no effect on group-dro, which finds its weights in training")
        return GroupDRO(cells, **parameters, reduction=reduction or "batch_mean", **names, dtype=dtype)
    if weight is not None:
        parameters["w"] = torch.as_tensor(weight)
    return ParametricLoss(len(cells), **parameters, reduction=reduction or "mean", **names, dtype=dtype)
