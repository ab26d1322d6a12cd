"""What goes on in a search or a study, told to whoever listens: callbacks, and the package's loggers."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_listeners: ContextVar[tuple[Callback, ...]] = ContextVar("listeners", default=())


class Callback:
    """Is told what goes on while it listens; a subclass overrides what it wants to know. Records are dicts.

    Each event also goes to a logger, ``autobalance.search`` and so on, at level INFO, hypergradients at level DEBUG.
    """

    def on_search(self, record: Mapping[str, Any]) -> None:
        """A search begins, or goes on after an interruption.

        Args:
            record: ``steps`` (epochs, or whole trainings) that it has, ``done`` of them.
        """

    def on_share(self, record: Mapping[str, Any]) -> None:
        """A whole training in a search goes on.

        Args:
            record: ``done``, steps of the search, parts of one included.
        """

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """A step of a search is done.

        Args:
            record: that of the history: ``phase``, ``epoch``, ``train_loss``, ``objective``, ``parameters`` and more.
        """

    def on_hypergradient(self, record: Mapping[str, Any]) -> None:
        """A hypergradient is there.

        Args:
            record: ``step`` (changes of the searched numbers before), ``train_loss``, ``objective``, ``finite``; by the
                name of a searched number its ``value`` and ``gradient``, tensors.
        """

    def on_choice(self, record: Mapping[str, Any]) -> None:
        """Trainings for the choice begin, where the search has not made it on the way.

        Args:
            record: ``trainings`` that there are, ``done`` of them, ``epochs`` of each.
        """

    def on_training(self, record: Mapping[str, Any]) -> None:
        """An epoch of a training for the choice is done.

        Args:
            record: ``training`` (which), ``done`` (trainings before), ``epoch``, ``loss``.
        """

    def on_study(self, record: Mapping[str, Any]) -> None:
        """A part of a study went on, or is done.

        Args:
            record: ``cell`` (its name), ``event`` ("told" or "done"), ``done`` and ``total`` of the whole study,
                ``text``.
        """


@contextmanager
def listening(*callbacks: Callback) -> Iterator[None]:
    """Within it the callbacks are told, after those that listen already."""
    token = _listeners.set((*_listeners.get(), *callbacks))
    try:
        yield
    finally:
        _listeners.reset(token)


def tell(event: str, record: Mapping[str, Any]) -> None:
    """Tells of an event.

    Args:
        event: the name of a method of `Callback` without its ``on_``.
        record: what it is given.
    """
    logger = logging.getLogger(f"autobalance.{event}")
    level = logging.DEBUG if event in ("hypergradient", "share") else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, "%s", _line(record))
    for callback in _listeners.get():
        getattr(callback, f"on_{event}")(record)


def _line(record: Mapping[str, Any]) -> str:
    """The texts and numbers of a record in one line."""
    plain = {name: value for name, value in record.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in plain.items())


def _short(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else str(value)
