"""What the text of an option may be: a function for each kind of value, which returns it or says what is wrong."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence

from autobalance.common import nearest

#: Of a whole number.
MOST_DIGITS = 40
#: More is a slip: each is a training of every method.
MOST_SEEDS = 10_000
#: More is a slip: each is a process of its own.
MOST_WORKERS = 1024


def _is_whole(text: str) -> bool:
    """Whether a text is digits from 0 to 9 alone; Python reads those of all scripts."""
    return text.isascii() and text.isdecimal()


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not _is_whole(text) or len(text) > MOST_DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """A whole number of at least 0."""
    return 0 if text == "0" else positive(text)


def workers(text: str) -> int:
    """How many processes: a whole number from 1 to `MOST_WORKERS`."""
    if positive(text) > MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_WORKERS}: give fewer")
    return int(text)


def seeds(text: str) -> int:
    """How many seeds: a whole number from 1 to `MOST_SEEDS`."""
    if positive(text) > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_SEEDS}: give fewer")
    return int(text)


def several(text: str) -> int:
    """A whole number of at least 2."""
    if positive(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 2")
    return int(text)


def positive_float(text: str) -> float:
    """A finite number above 0."""
    value = number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """A finite number of at least 0."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def seed(text: str) -> int:
    """A whole number that every generator takes as a seed."""
    if not _is_whole(text) or len(text) > MOST_DIGITS or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 2^32 - 1")
    return int(text)


def share(text: str) -> float:
    """A number from 0 up to, but not including, 1."""
    value = number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 up to, but not including, 1")
    return value


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return value


def two_counts(text: str) -> tuple[int, int]:
    """Two whole numbers, the first at least as large as the second."""
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts) or int(parts[0]) < int(parts[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not two whole numbers, the larger one first, such as 100,20")
    return int(parts[0]), int(parts[1])


def milestones(text: str) -> tuple[float, ...]:
    """Numbers separated by commas: shares of the epochs below 1, whole numbers of epochs from 1 on."""
    return tuple(int(part) if part.strip().isdecimal() else number(part) for part in text.split(","))


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas; a name that contains a comma is put in double quotes.

    Spaces around names are removed, and repeated names count once.
    """
    found = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not found or not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name; separate names by commas, such as ce,la")
    return tuple(dict.fromkeys(found))


def texts(text: str) -> tuple[str, ...]:
    """Texts separated by commas, none where there is nothing; an empty text, or one with a comma, is put in double
    quotes."""
    return tuple(dict.fromkeys(next(csv.reader([text]), [])))


def names_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A parser of `names` out of ``known``."""

    def parse(text: str) -> tuple[str, ...]:
        found = names(text)
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(
                f"{unknown[0]!r} is none of {', '.join(known)}{nearest(unknown[0], known)}"
            )
        return found

    return parse
