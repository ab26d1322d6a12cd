"""Label-distribution smoothing (Yang et al. 2021), for bins of a target and for classes that have an order."""

from __future__ import annotations

from torch import Tensor

from autobalance.common.density import lds_weights
from autobalance.losses.named._member import Parameters, regression_member
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss
from autobalance.losses.named._registry import register


def lds(
    bin_counts: Tensor,
    kernel: str = "gaussian",
    ks: int = 5,
    sigma: float = 2.0,
    reweight: str = "sqrt_inv",
    clip: tuple[float, float] = (5.0, 1000.0),
) -> Parameters:
    """w_b ∝ 1 / p̃_b, p̃ the smoothed density; see `lds_weights`."""
    return {"w": lds_weights(bin_counts, kernel, ks, sigma, reweight, clip)}


register(
    NamedLoss(
        "lds",
        "label-distribution smoothing",
        "bins",
        regression_member(lds),
        source="Yang et al. 2021, section 3.1",
        ranges={"ks": Range(3, 15, "odd"), "sigma": Range(0.5, 4.0, "log")},  # Yang et al.: 5, 9, 15 and 1, 2
        ordered=True,
    )
)
