"""Checks of the values that a dataclass is made with, which name its field."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import Any

from autobalance.common._errors import InputError
from autobalance.common._nearest import nearest


def check_value(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
) -> None:
    """Refuses what is no finite number within the bounds.

    Args:
        name: of the field.
        value: that it was given.
        above, at_least, below, at_most: its bounds.
        whole: whether it has to be a whole number.

    Raises:
        InputError: names the field, the value and what it may be.
    """
    bounds = {"above": above, "of at least": at_least, "below": below, "of at most": at_most}
    fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool) and is_finite(value)
    if fits and above is not None:
        fits = value > above
    if fits and at_least is not None:
        fits = value >= at_least
    if fits and below is not None:
        fits = value < below
    if fits and at_most is not None:
        fits = value <= at_most
    if not fits:
        limits = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
        raise InputError(f"`{name}` is {value!r}; it has to be a {'whole ' if whole else ''}number {limits}".rstrip())


def check_one_of(name: str, value: Any, known: Collection[str]) -> None:
    """Refuses what is none of the known names.

    Raises:
        InputError: names the field, the value and what it may be.
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(f"`{name}` is {value!r}; it has to be one of {', '.join(known)}{nearest(value, known)}")


def check_listed(name: str, value: Any) -> None:
    """Refuses what is no list of names; one name by itself too, whose letters would be taken for names.

    Raises:
        InputError: names the field and the value.
    """
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(isinstance(each, str) for each in value):
        as_list = f", as [{value!r}]" if isinstance(value, str) else ""
        raise InputError(f"`{name}` is {value!r}; it has to be a list of names{as_list}")


def is_finite(number: Any) -> bool:
    """Whether a number is neither NaN nor infinite, nor a whole number beyond the range of floats."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
