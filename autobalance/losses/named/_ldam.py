"""Label-distribution-aware margins (Cao et al. 2019)."""

from __future__ import annotations

from torch import Tensor

from autobalance.losses.named._member import Parameters, family_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register

MAX_M = Range(0.1, 1.0)  # Cao et al. 2019: 0.5
SCALE = Range(8.0, 64.0, "log")  # Cao et al. 2019: 30; face recognition: up to 64


def ldam(class_counts: Tensor, max_m: float = 0.5, s: float = 30.0) -> Parameters:
    """m_k = C n_k^-1/4, the largest being max_m, and the scale s. The paper's logits are cosines."""
    return {"margin": max_m * (class_counts.min() / class_counts) ** 0.25, "scale": s}


register(
    NamedLoss(
        "ldam",
        "LDAM",
        "classes",
        family_member(ldam),
        source="Cao et al. 2019, eq. 13",
        head="cosine",
        ranges={"max_m": MAX_M, "s": SCALE},
    )
)
