"""Class-dependent temperatures (Ye et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

GAMMA = Range(0.02, 0.5)  # Ye et al. 2020: 0 to 0.5; Kini et al. 2021: 0.05 to 0.3


def cdt(class_counts: Tensor, gamma: float = 0.2) -> Parameters:
    """Δ_k = (n_k / n_max)^γ."""
    return {"delta": (class_counts / class_counts.max()) ** gamma}


register(
    NamedLoss(
        "cdt",
        "class-dependent temperatures",
        "classes",
        family_member(cdt),
        source="Ye et al. 2020, eq. 6",
        ranges={"gamma": GAMMA},
    )
)
