"""Numbers for people: with a given number of significant digits, and without an exponent."""

from __future__ import annotations

import math


def decimals(value: float, digits: int) -> int:
    """Decimals that show ``digits`` significant ones of ``value``; 0 where it has more before the point."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else digits - 1


def significant(value: float, digits: int) -> str:
    """``0.07912``, ``57.48`` or ``50380``, where ``:.4g`` would end in ``e+04``; all digits before the point stay.

    Numbers below 1e-9, where zeros would not end, are written as ``:g`` writes them.
    """
    if value and abs(value) < 1e-9:
        return f"{value:.{digits}g}"
    return f"{value:.{decimals(value, digits)}f}"


def trimmed(value: float, digits: int) -> str:
    """The same without zeros at the end: ``0.25``, ``1``."""
    text = significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
