"""Logit adjustment (Menon et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._counts import log_prior
from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

TAU = Range(0.25, 3.0)  # Menon et al. 2021, figure 3: 0 to 3 or so


def la(class_counts: Tensor, tau: float = 1.0) -> Parameters:
    """l_k = τ log π_k, π_k = n_k / N."""
    return {"l": tau * log_prior(class_counts)}


register(
    NamedLoss(
        "la",
        "logit adjustment (τ = 1)",
        "classes",
        family_member(la),
        source="Menon et al. 2021, eq. 10",
        ranges={"tau": TAU},
    )
)
