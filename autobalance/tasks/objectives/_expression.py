"""Sums of objectives as text: ``0.5*balanced_error + 0.5*deo``. Read by a pattern, never executed."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from autobalance.common import InputError

_TERM = re.compile(r"(?:(?P<weight>[0-9.eE+-]+)\s*\*\s*)?(?P<name>[A-Za-z_]\w*)(?:\((?P<option>\w*)\))?")


class Term(NamedTuple):
    """``weight * name(option)``; the option is None where it is left out."""

    weight: float
    name: str
    option: str | None


def parse_sum(text: str) -> list[Term]:
    """The terms of a sum: ``[number *] name [(option)]``, with plus signs between. Numbers are above 0.

    Raises:
        InputError: the text is no such sum.

    >>> parse_sum("0.5*balanced_error + deo(smooth)")
    [Term(weight=0.5, name='balanced_error', option=None), Term(weight=1.0, name='deo', option='smooth')]
    """
    terms, rest = [], text.strip()
    while True:
        found = _TERM.match(rest)
        if found is None:
            raise _fault(text, rest)
        weight = _number(found["weight"])
        if weight is None:
            raise InputError(f"the objective {text!r} has the factor {found['weight']!r}: give a number above 0")
        terms.append(Term(weight, found["name"], found["option"]))
        rest = rest[found.end() :].lstrip()
        if not rest:
            return terms
        if not rest.startswith("+"):
            raise _fault(text, rest)
        rest = rest[1:].lstrip()


def _fault(text: str, rest: str) -> InputError:
    where = f"at {rest!r}" if rest else "at its end"
    return InputError(f"the objective {text!r} cannot be read {where}: write a name, or a sum such as "
                      "0.5*balanced_error + 0.5*deo")  # fmt: skip


def _number(text: str | None) -> float | None:
    """A number above 0, 1 where left out, None for anything else."""
    try:
        value = 1.0 if text is None else float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
