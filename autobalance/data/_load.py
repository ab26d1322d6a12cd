"""One function that opens every source of data."""

from __future__ import annotations

from collections.abc import Callable

from autobalance.data._assemble import DEFAULT_FRACTION, Options
from autobalance.data._digits import load_digits
from autobalance.data._samples import Problem
from autobalance.errors import InputError

_NAMED: dict[str, Callable[[Options], Problem]] = {"digits": load_digits}
SOURCES = tuple(_NAMED)


def load(
    source: str,
    *,
    target: str | None = None,
    imbalance: float | None = None,
    imbalance_type: str = "exp",
    validation_fraction: float = DEFAULT_FRACTION,
    seed: int = 0,
) -> Problem:
    """Open a source of data."""
    options = Options(target, imbalance, imbalance_type, validation_fraction, seed)
    if source in _NAMED:
        return _NAMED[source](options)
    raise InputError(f"the data source {source!r} is unknown")
