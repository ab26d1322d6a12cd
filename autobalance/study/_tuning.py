"""Tuning: trial after trial on samples that are not for the test; the best is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from autobalance.common import InputError
from autobalance.study._cell import Desk
from autobalance.study._proposals import Proposals
from autobalance.study._training import Hyper

#: A trial, plain JSON values: ``values``, its ``score`` (lower is better, None where it led to nothing), and more.
Trial = dict[str, Any]

#: Tries the values that were proposed to each of the tuned, and gives for each its score and what else is kept.
Attempt = Callable[[int, Sequence[Hyper]], Sequence[Trial]]


def tune(proposals: Sequence[Proposals], trials: int, attempt: Attempt, desk: Desk) -> list[list[Trial]]:
    """Tunes several methods side by side, a trial of each at a time, so that these can be trained together.

    What is tried depends on the finished trials and the proposals alone: tuning that was killed goes on from what its
    desk has kept, and ends as one that was not.

    Args:
        proposals: of each method.
        trials: how many of each.
        attempt: ``attempt(number, values)`` -> trials with ``score``; number counts from 0.
        desk: keeps the finished trials.

    Returns:
        the trials of each method.

    Raises:
        InputError: the kept trials were proposed by another release of Optuna.
    """
    rounds: list[list[Trial]] = desk.kept or []
    for finished in rounds:
        for source, trial in zip(proposals, finished, strict=True):
            if source.ask() != trial["values"]:
                raise InputError(
                    f"the trials of {desk.key} were proposed by another release of Optuna: delete its file to have "
                    "them done again"
                )
            source.tell(trial["score"])
    for number in range(len(rounds), trials):
        asked = [source.ask() for source in proposals]
        tried = attempt(number, asked)
        rounds.append([{"values": dict(values), **trial} for values, trial in zip(asked, tried, strict=True)])
        for source, trial in zip(proposals, rounds[-1], strict=True):
            source.tell(trial["score"])
        desk.keep(rounds)
    return [list(its) for its in zip(*rounds, strict=True)]


def best(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest score, the earliest of equals."""
    return min(trials, key=lambda trial: math.inf if trial["score"] is None else trial["score"])
