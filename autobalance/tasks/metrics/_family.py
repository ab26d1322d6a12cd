"""Metrics with arguments: of a class, of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autobalance.common import InputError
from autobalance.tasks.metrics._metric import Context, Metric

#: Classes that a message names at most.
_SHOWN = 20


@dataclass(frozen=True)
class MetricFamily:
    """A metric for each of many arguments, ``f1(CLASS)``.

    Args:
        name: what stands before the brackets.
        arguments: what stands in them, for people: ``CLASS``.
        make: (arguments, context) -> the metric; its key is ``objective``, under which a run's result keeps it.
        meaning: a sentence for people.
    """

    name: str
    arguments: str
    make: Callable[[Sequence[str], Context], Metric]
    meaning: str

    @property
    def usage(self) -> str:
        return f"{self.name}({self.arguments})"


def class_of(name: str, context: Context, asked: str) -> int:
    """The index of a class by its name as it stands in the data.

    Args:
        name: of the class.
        context: has the names.
        asked: what needs it, for the message.

    Raises:
        InputError: there is no such class.
    """
    return _place(name, context.class_names or tuple(map(str, range(context.num_classes))), asked, "class", "classes")


def group_of(name: str, context: Context, asked: str) -> int:
    """The index of a group by its name as it stands in the data.

    Raises:
        InputError: there is no such group.
    """
    return _place(name, context.group_names or tuple(map(str, range(context.num_groups))), asked, "group", "groups")


def _place(name: str, names: Sequence[str], asked: str, one: str, many: str) -> int:
    if name in names:
        return names.index(name)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there = f"the {many} are {', '.join(names[:_SHOWN])}{more}" if names else f"there are no {many}"
    raise InputError(f"{asked}: there is no {one} {name!r}; {there}")


def number_of(text: str, asked: str) -> float:
    """A number above 0.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{asked}: {text!r} is no number above 0")
    return value


def check_arguments(given: Sequence[str], least: int, most: int, usage: str) -> None:
    """Raises an InputError where there are too few or too many arguments."""
    if not least <= len(given) <= most or not all(given):
        raise InputError(f"{usage.partition('(')[0]}({', '.join(given)}) cannot be: write {usage}")
