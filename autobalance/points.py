"""The named fixed losses as points of the family, and the class statistics that they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature

import torch
from torch import Tensor

from autobalance.errors import InputError
from autobalance.losses._family import ParametricLoss


def log_prior(class_counts: Tensor) -> Tensor:
    """log π_k = log(n_k / N), shape (K,)."""
    return torch.log(class_counts / class_counts.sum())


def ce(class_counts: Tensor) -> dict[str, Tensor]:
    """Cross-entropy: every parameter at its identity."""
    return {}


def weighted(class_counts: Tensor) -> dict[str, Tensor]:
    """Weighted softmax: w_k = N / (K n_k), the weight that makes every class count the same."""
    return {"w": class_counts.sum() / (len(class_counts) * class_counts)}


def la(class_counts: Tensor, tau: float = 1.0) -> dict[str, Tensor]:
    """Logit adjustment: l = τ log π (Menon et al. 2021, eq. 10)."""
    return {"l": tau * log_prior(class_counts)}


def cdt(class_counts: Tensor, gamma: float = 0.2) -> dict[str, Tensor]:
    """Class-dependent temperatures: Δ_k = (n_k / n_max)^γ (Ye et al. 2020, eq. 6)."""
    return {"delta": (class_counts / class_counts.max()) ** gamma}


def vs(class_counts: Tensor, gamma: float = 0.3, tau: float = 1.0) -> dict[str, Tensor]:
    """Vector scaling: Δ_k = (n_k / n_max)^γ and l = τ log π (Kini et al. 2021, eq. 2)."""
    return {**cdt(class_counts, gamma), **la(class_counts, tau)}


_POINTS: dict[str, Callable[..., dict[str, Tensor]]] = {"ce": ce, "weighted": weighted, "la": la, "cdt": cdt, "vs": vs}


def fixed_points() -> list[str]:
    """The names that `fixed_point` knows."""
    return list(_POINTS)


def fixed_point(
    name: str,
    class_counts: Tensor | Sequence[int],
    *,
    weight: Tensor | Sequence[float] | None = None,
    reduction: str = "mean",
    class_names: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    **hyper: float,
) -> ParametricLoss:
    """A published loss as a member of the family.

    Args:
        name: one of `fixed_points`.
        class_counts: n_k, the number of training samples of each class, (K,), all at least 1.
        weight: overrides w, (K,).
        reduction, class_names, dtype: as in `ParametricLoss`.
        **hyper: the loss's own hyper-parameters, for example ``tau``; the paper's values where left out.

    Raises:
        InputError (a ValueError): an unknown name or hyper-parameter, or a class without samples.
    """
    if name not in _POINTS:
        raise InputError(f"no fixed loss is called {name!r}; there are {', '.join(_POINTS)}")
    point = _POINTS[name]
    known = [p for p in signature(point).parameters if p != "class_counts"]
    if unknown := set(hyper) - set(known):
        raise InputError(f"{name} has no hyper-parameter {sorted(unknown)[0]!r}; it has {', '.join(known) or 'none'}")
    counts = torch.as_tensor(class_counts, dtype=torch.float64)
    if counts.dim() != 1 or (counts < 1).any():
        raise InputError(f"class_counts must be one count of at least 1 a class, got {counts.tolist()}")
    parameters = point(counts, **hyper)
    if weight is not None:
        parameters["w"] = torch.as_tensor(weight)
    names = None if class_names is None else tuple(class_names)
    return ParametricLoss(len(counts), **parameters, reduction=reduction, class_names=names, dtype=dtype)  # type: ignore[arg-type]
