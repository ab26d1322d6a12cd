"""The dynamic cost-sensitive loss (CSL), as its paper describes it and as its code was released."""

from __future__ import annotations

from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import Loss, ReleasedCSL, with_csl
from autobalance.losses.named._fixed_point import fixed_point
from autobalance.losses.named._range import Range
from autobalance.losses.named._record import NamedLoss, Settings
from autobalance.losses.named._registry import register


def csl(
    class_counts: Tensor,
    settings: Settings,
    variant: str = "paper",
    base: str | Loss = "ce",
    reward: float = 2.0,
    strength: float = 1.0,
    entropy_floor: float | None = None,
    counts: str | None = None,
) -> Loss:
    """``base`` plus λ times the term of `CSL`, or of `ReleasedCSL` for the ``variant`` released.

    Args:
        class_counts, settings: of ``base``.
        variant: ``paper`` or ``released``.
        base: the name of another fixed loss, or any loss, which has its own settings.
        reward, strength: k and λ of the term.
        entropy_floor, counts: for the variant ``paper``: h, and the samples whose predictions are counted; None:
            `CSL`'s.

    Raises:
        InputError: an unknown variant, or a setting that would have no effect.
    """
    if variant not in ("paper", "released"):
        raise InputError(f"csl has no variant {variant!r}; choose paper or released")
    of_paper = {
        name: value for name, value in (("entropy_floor", entropy_floor), ("counts", counts)) if value is not None
    }
    if variant == "released" and of_paper:
        raise InputError(f"{next(iter(of_paper))} has no effect on csl's variant released; leave it out")
    given = {name: value for name, value in vars(settings).items() if value is not None}
    if not isinstance(base, Loss):
        base = fixed_point(base, class_counts, **given)
    elif given:
        raise InputError(f"{next(iter(given))} has no effect on a base loss that is ready: give it to the base loss")
    if variant == "released":
        return ReleasedCSL(base, reward, strength)
    floor = {} if entropy_floor is None else {"csl_floor": entropy_floor}
    return with_csl(base, csl=strength, csl_reward=reward, **floor, **({} if counts is None else {"counts": counts}))


register(
    NamedLoss(
        "csl",
        "cost-sensitive term (CSL)",
        "classes",
        csl,
        source="anonymous, under review in 2024, eq. 1 and 2, algorithm 1",
        ranges={"strength": Range(0.01, 10.0, "log"), "reward": Range(0.5, 4.0)},
    )
)
