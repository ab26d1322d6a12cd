"""Objectives as text: ``0.5*balanced_error + 0.5*deo``, ``error subject to recall(rare)>=0.8``. Read by patterns, never
executed."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from autobalance.common import InputError

_ARGUMENT = r"""\s*(?:"[^"]*"|'[^']*'|[^\s,()"'][^,()]*)\s*"""
_CALL = re.compile(rf"(?P<name>[A-Za-z_]\w*)\s*(?:\((?P<given>(?:{_ARGUMENT}(?:,{_ARGUMENT})*)?)\))?")
_WEIGHT = re.compile(r"(?P<weight>[0-9.eE+-]+)\s*\*\s*")
_BOUND = re.compile(r"(?P<sign>>=|<=|≥|≤)\s*(?P<bound>[0-9.eE+-]+)")
_WORDS = re.compile(r"(subject\s+to|and)\b\s*")


#: Terms and constraints of an objective.
MOST = 100


class Call(NamedTuple):
    """``name(arguments)``; the arguments are None where there are no brackets."""

    name: str
    arguments: tuple[str, ...] | None


class Term(NamedTuple):
    """``weight * call``."""

    weight: float
    call: Call


class Bound(NamedTuple):
    """``call >= value`` or ``call <= value``, and how that was written."""

    call: Call
    sign: str
    value: float
    text: str


class Expression(NamedTuple):
    """A sum, and what it is subject to."""

    terms: list[Term]
    bounds: list[Bound]


def parse(text: str) -> Expression:
    """``[number *] name [(argument, ...)]`` with plus signs between; then, after ``subject to``, ``name [(...)] >=
    number`` with ``and`` between. Factors are above 0. Arguments with commas or brackets stand in quotes.

    Raises:
        InputError: the text is no such thing.

    >>> parse("0.5*f1(rare) + error").terms[0]
    Term(weight=0.5, call=Call(name='f1', arguments=('rare',)))
    """
    terms: list[Term] = []
    bounds: list[Bound] = []
    rest = text.strip()
    while True:
        weight, rest = _weight(text, rest)
        call, rest = _call(text, rest)
        terms.append(Term(weight, call))
        if len(terms) > MOST:
            raise InputError(f"the objective {text[:60]!r}... has more than {MOST} terms: give fewer")
        if not rest.startswith("+"):
            break
        rest = rest[1:].lstrip()
    while rest:
        words = _WORDS.match(rest)
        if words is None or words[1].startswith("and") != bool(bounds):
            raise _fault(text, rest)
        bound, rest = _bound(text, rest[words.end() :])
        bounds.append(bound)
        if len(bounds) > MOST:
            raise InputError(f"the objective {text[:60]!r}... has more than {MOST} constraints: give fewer")
    return Expression(terms, bounds)


def _weight(text: str, rest: str) -> tuple[float, str]:
    found = _WEIGHT.match(rest)
    if found is None:
        return 1.0, rest
    weight = _number(found["weight"])
    if not 0 < weight < math.inf:
        raise InputError(f"the objective {text!r} has the factor {found['weight']!r}: give a number above 0")
    if not rest[found.end() :]:
        raise _fault(text, rest)
    return weight, rest[found.end() :]


def _call(text: str, rest: str) -> tuple[Call, str]:
    found = _CALL.match(rest)
    if found is None:
        raise _fault(text, rest)
    given = found["given"]
    arguments = None if given is None else tuple(_plain(one) for one in re.findall(_ARGUMENT, given))
    return Call(found["name"], arguments), rest[found.end() :].lstrip()


def _bound(text: str, rest: str) -> tuple[Bound, str]:
    call, after = _call(text, rest)
    found = _BOUND.match(after)
    if found is None:
        raise InputError(f"the objective {text!r} cannot be read at {(after or rest)!r}: a constraint is a metric and "
                         "a bound, such as recall(rare)>=0.8")  # fmt: skip
    value = _number(found["bound"])
    if not math.isfinite(value):
        raise InputError(f"the objective {text!r} has the bound {found['bound']!r}: give a number")
    left = after[found.end() :]
    written = rest[: len(rest) - len(left)].strip()
    sign = found["sign"].replace("≥", ">=").replace("≤", "<=")
    return Bound(call, sign, value, written), left.lstrip()


def _plain(argument: str) -> str:
    """An argument without blanks around it and without its quotes."""
    argument = argument.strip()
    return argument[1:-1] if argument[:1] in ("'", '"') else argument


def _fault(text: str, rest: str) -> InputError:
    where = f"at {rest!r}" if rest else "at its end"
    return InputError(f"the objective {text!r} cannot be read {where}: write a name, a sum such as 0.5*balanced_error "
                      "+ 0.5*deo, or 'error subject to recall(rare)>=0.8'")  # fmt: skip


def _number(text: str) -> float:
    """A number; NaN for anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan
