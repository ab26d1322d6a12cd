"""What is tuned beside the fixed losses, whose records have ranges: steps behind a loss, the search, the recipe."""

from __future__ import annotations

from autobalance.common import InputError
from autobalance.losses.named import Range, named_loss, named_losses

_BETA, _TAU = named_loss("cb").ranges["beta"], named_loss("la").ranges["tau"]

RANGES: dict[str, dict[str, Range]] = {
    "+csl": {**named_loss("csl").ranges},
    "+csl-released": {**named_loss("csl").ranges},
    "+drw": {"drw_beta": _BETA, "drw_start": named_loss("ldam-drw").ranges["drw_start"]},
    "+posthoc": {"posthoc_tau": _TAU},
    "+crt": {"crt_share": Range(0.05, 0.5), "crt_lr": Range(0.001, 0.5, "log")},
    "+ssp": {"ssp_share": Range(0.1, 1.0)},
    "autobalance": {"outer_lr": Range(0.01, 0.2, "log"), "warmup": Range(0.1, 0.6)},
    "recipe": {"lr": Range(0.01, 0.3, "log"), "weight_decay": Range(1e-5, 2e-2, "log")},
}


def ranges_of(parts: list[str]) -> dict[str, Range]:
    """The ranges of a method's parts, such as ``["la", "+drw"]``, in one table.

    Raises:
        InputError: two parts have a hyper-parameter of the same name.
    """
    joined: dict[str, Range] = {}
    for part in parts:
        ranges = named_loss(part).ranges if part in named_losses() else RANGES.get(part, {})
        if twice := set(ranges) & set(joined):
            raise InputError(
                f"{''.join(parts)} has two hyper-parameters called {sorted(twice)[0]}: "
                f"{part} does what the loss does already"
            )
        joined |= ranges
    return joined
