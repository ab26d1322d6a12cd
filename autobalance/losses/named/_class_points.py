"""The named fixed losses that are points of the family, from the class counts, and the statistics that they need.

``docs/losses.md`` has all of them in a table, with formula and source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.common.density import fill_empty, lds_weights, normalise


def log_prior(class_counts: Tensor) -> Tensor:
    """log π_k = log(n_k / N), shape (K,)."""
    return torch.log(class_counts / class_counts.sum())


def inverse_frequency(class_counts: Tensor) -> Tensor:
    """1 / n_k, scaled so that the weights sum to K, shape (K,)."""
    weight = 1 / class_counts
    return weight * (len(weight) / weight.sum())


def effective_number_weights(class_counts: Tensor, beta: float = 0.9999) -> Tensor:
    """(1 - β) / (1 - β^n_k), scaled so that they sum to K, shape (K,) (Cui et al. 2019, eq. 2 and section 4).

    Raises:
        InputError: β is not in [0, 1).
    """
    if not 0 <= beta < 1:
        raise InputError(f"beta is {beta}; it lies in [0, 1), 0.9999 for example")
    weight = (1 - beta) / (1 - beta**class_counts)
    return weight * (len(weight) / weight.sum())


# Points of the family: class counts (K,) in float64 and hyper-parameters -> parameters of `ParametricLoss`.


def ce(class_counts: Tensor) -> dict[str, Any]:
    """Cross-entropy: every parameter at its identity."""
    return {}


def weighted(class_counts: Tensor) -> dict[str, Any]:
    """Weighted softmax: w_k = N / (K n_k), the weight that makes every class count the same."""
    return {"w": class_counts.sum() / (len(class_counts) * class_counts)}


def cb(class_counts: Tensor, beta: float = 0.9999) -> dict[str, Any]:
    """Class-balanced: w from the effective number of samples (Cui et al. 2019)."""
    return {"w": effective_number_weights(class_counts, beta)}


def focal(class_counts: Tensor, gamma: float = 2.0) -> dict[str, Any]:
    """Focal loss: (1 - p_y)^γ (Lin et al. 2017, eq. 4), over a softmax."""
    return {"gamma": gamma}


def cb_focal(class_counts: Tensor, beta: float = 0.9999, gamma: float = 1.0) -> dict[str, Any]:
    """Class-balanced focal loss (Cui et al. 2019, section 4), over a softmax."""
    return {**cb(class_counts, beta), **focal(class_counts, gamma)}


def la(class_counts: Tensor, tau: float = 1.0) -> dict[str, Any]:
    """Logit adjustment: l = τ log π (Menon et al. 2021, eq. 10)."""
    return {"l": tau * log_prior(class_counts)}


def balanced_softmax(class_counts: Tensor) -> dict[str, Any]:
    """Balanced softmax: l = log n, up to a constant log π (Ren et al. 2020)."""
    return la(class_counts)


def cdt(class_counts: Tensor, gamma: float = 0.2) -> dict[str, Any]:
    """Class-dependent temperatures: Δ_k = (n_k / n_max)^γ (Ye et al. 2020, eq. 6)."""
    return {"delta": (class_counts / class_counts.max()) ** gamma}


def vs(class_counts: Tensor, gamma: float = 0.3, tau: float = 1.0) -> dict[str, Any]:
    """Vector scaling: Δ_k = (n_k / n_max)^γ and l = τ log π (Kini et al. 2021, eq. 2)."""
    return {**cdt(class_counts, gamma), **la(class_counts, tau)}


def ldam(class_counts: Tensor, max_m: float = 0.5, s: float = 30.0) -> dict[str, Any]:
    """Label-distribution-aware margins: m_k = C n_k^-1/4, the largest being max_m (Cao et al. 2019, eq. 13).

    The paper's logits are cosines: the model should have a cosine head.
    """
    return {"margin": max_m * (class_counts.min() / class_counts) ** 0.25, "scale": s}


def lds(class_counts: Tensor, **hyper: Any) -> dict[str, Any]:
    """Label-distribution smoothing for ordered classes: w_k ∝ 1 / p̃_k (Yang et al. 2021)."""
    weights = fill_empty(lds_weights(class_counts, **hyper), class_counts)
    return {"w": normalise(weights, class_counts)}


POINTS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "ce": ce,
    "weighted": weighted,
    "cb": cb,
    "focal": focal,
    "cb-focal": cb_focal,
    "la": la,
    "balanced-softmax": balanced_softmax,
    "cdt": cdt,
    "vs": vs,
    "ldam": ldam,
}
