"""What somebody may have meant by a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: ``; do you mean balanced_error?``, or nothing where none is near.

    Args:
        name: that was given.
        known: the names that there are.
    """
    close = difflib.get_close_matches(str(name), [str(each) for each in known], 1, 0.6)
    return f"; do you mean {close[0]}?" if close else ""
