"""From the words of the package to those of the command line."""

from __future__ import annotations

import re
from collections.abc import Collection


def as_flags(message: str, known: Collection[str]) -> str:
    """A message in which each setting that is named in backticks, as ``weight_decay`` is in Python, is the option of
    the command that sets it, ``--weight-decay``; other words in backticks stay as they are.

    Args:
        message: of an error.
        known: the settings that the command has options for.

    >>> as_flags("`weight_decay` is below 0, see `Recipe`", {"weight_decay"})
    '--weight-decay is below 0, see `Recipe`'
    """
    return re.sub(r"`(\w+)`", lambda name: _flag(name[1]) if name[1] in known else name[0], message)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
