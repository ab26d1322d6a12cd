"""The bars of each track, as its plan states them, and whether they are reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experiments.evidence._verdict import Against
from experiments.objectives import FIXED

#: Of "better or same" over problems.
SURE = 0.95


@dataclass(frozen=True)
class Bar:
    """A bar of a track.

    Args:
        rival: whom ours is compared with.
        text: what has to be.
        check: whether it is, and the figures that say so.
    """

    rival: str
    text: str
    check: Callable[[Against], tuple[bool, str]]


def _never_beyond(its: Against) -> tuple[bool, str]:
    above = its.beyond_worse
    return not above, _on(above, its)


def _better_or_same(its: Against) -> tuple[bool, str]:
    better, same, _ = its.probabilities
    return better + same >= SURE, f"{better + same:.2f}"


def _better_on(share: float) -> Callable[[Against], tuple[bool, str]]:
    def check(its: Against) -> tuple[bool, str]:
        found = _named(its, "better")
        return len(found) >= share * len(its.each), _on(found, its)

    return check


def _never_worse(its: Against) -> tuple[bool, str]:
    found = _named(its, "worse")
    return not found, _on(found, its)


def _named(its: Against, word: str) -> list[str]:
    return [name for name, pair in its.each.items() if pair.word == word]


def _on(names: Sequence[str], its: Against) -> str:
    return f"{len(names)} of {len(its.each)}" + (f": {', '.join(names)}" if names else "")


_NEVER_WORSE = Bar(FIXED, "significantly worse on no problem", _never_worse)
BARS: Mapping[str, Sequence[Bar]] = {
    "A": (
        Bar(FIXED, "worse beyond the margin on no problem", _never_beyond),
        Bar(FIXED, f"better or the same over problems with a probability of {SURE}", _better_or_same),
    ),
    "B": (
        Bar(FIXED, "significantly better on half of the problems", _better_on(1 / 2)),
        Bar("la + offsets", "significantly worse on no problem", _never_worse),
    ),
    "C": (Bar(FIXED, "significantly better on a third of the problems", _better_on(1 / 3)), _NEVER_WORSE),
    "D": (_NEVER_WORSE,),
}
