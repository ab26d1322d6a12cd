"""Class-balanced weights (Cui et al. 2019)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._counts import effective_number_weights
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

BETA = Range(0.9, 0.99999, "to-one")  # Cui et al. 2019 try 0.9, 0.99, 0.999, 0.9999


def cb(class_counts: Tensor, beta: float = 0.9999) -> Parameters:
    """w_k = c (1 - β) / (1 - β^n_k), the inverse of the effective number of samples, Σ w = K."""
    return {"w": effective_number_weights(class_counts, beta)}


register(
    NamedLoss(
        "cb",
        "class-balanced weights",
        "classes",
        family_member(cb),
        source="Cui et al. 2019, eq. 2; normalised as in its released code",
        ranges={"beta": BETA},
    )
)
