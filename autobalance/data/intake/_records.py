"""Inputs, label and group of a sample, or of a batch, however they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from autobalance.common import InputError

#: What dicts call the label, and the group.
LABELS, GROUPS = ("labels", "label", "targets", "target", "y"), ("groups", "group")


class Record(NamedTuple):
    """Inputs ``x``, label ``y`` and group, or None, of one sample or of several."""

    x: Any
    y: Any
    group: Any = None


def record_of(given: Any, place: str) -> Record:
    """What a Dataset gives for a sample, or a DataLoader for a batch: (x, y), (x, y, group), or a dict with a label.

    Args:
        given: that.
        place: what errors call it.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(given, Mapping):
        label, group = (_only(given, names, place) for names in (LABELS, GROUPS))
        if label is None:
            raise InputError(f"{place} has the keys {', '.join(map(str, given))}; the label has to be called `labels`")
        inputs = {name: value for name, value in given.items() if name not in (label, group) and value is not None}
        return Record(inputs, given[label], None if group is None else given[group])
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        found = f"{len(given)} values" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
        raise InputError(f"{place} must be (x, y), (x, y, group) or a dict with `labels` for every sample, not {found}")
    return Record(*given)


def _only(given: Mapping[str, Any], names: tuple[str, ...], place: str) -> str | None:
    found = [name for name in names if name in given]
    if len(found) > 1:
        raise InputError(f"{place} has both {found[0]!r} and {found[1]!r}: keep one of them")
    return found[0] if found else None
