"""Numbers and names of methods as people read them."""

from __future__ import annotations

import math

from autobalance.losses.named import named_losses

#: What methods are called that are not fixed losses.
_OTHERS = {"searched": "searched loss", "ce+augment": "cross-entropy, same augmentation"}


def number(value: float, digits: int | None = 2) -> str:
    """Fixed decimals, none for None; a dash for NaN."""
    return f"{value:.{digits or 0}f}" if math.isfinite(value) else "–"


def spread(mean: float, std: float, digits: int | None = 2) -> str:
    """``8.10 ± 0.30``, or the mean alone where there is no spread."""
    return f"{number(mean, digits)} ± {number(std, digits)}" if math.isfinite(std) else number(mean, digits)


def words(method: str) -> str:
    """A method's name for people; unknown ones as they are."""
    if method.endswith("+rates"):
        return f"{words(method.removesuffix('+rates'))}, with the recipe parameters found"
    titles = {name: loss.title for name, loss in named_losses().items()}
    return {**titles, **_OTHERS}.get(method, method)
