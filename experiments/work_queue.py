"""Pieces of work in an Optuna storage, each done by one worker, whichever machine it runs on.

A piece is a trial: waiting, running, then complete with its result, or failed where its worker died. Only a storage can
change a trial from waiting to running, and it does so for one worker alone.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

#: A worker says that it is alive this often, and counts as dead when it was silent for so long (seconds).
BEAT, SILENCE = 10.0, 120.0


class WorkQueue:
    """The pieces of one grid.

    Args:
        storage: where they are kept.
        name: of the grid; workers that give the same name share its pieces.
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self._study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        self._storage, self._id = storage, self._study._study_id
        self._beaten = 0.0

    def add(self, pieces: Iterable[str]) -> None:
        """Adds the pieces that are not there yet."""
        there = self._pieces()
        for piece in pieces:
            if piece not in there:
                self._study.add_trial(optuna.create_trial(state=TrialState.WAITING, user_attrs={"piece": piece}))

    def results(self) -> dict[str, Any]:
        """The results of the finished pieces."""
        return {
            piece: json.loads(trial.user_attrs["result"])
            for piece, trial in self._pieces().items()
            if trial.state == TrialState.COMPLETE
        }

    def claim(self, pieces: Sequence[str]) -> tuple[str, int] | None:
        """Takes the first of ``pieces`` that nobody works on, and whose worker is not dead.

        Returns:
            the piece and the number to `finish` or `release` it with, or None where all are taken.
        """
        there = self._pieces()
        for piece in pieces:
            trial = there.get(piece)
            if trial is not None and trial.state == TrialState.RUNNING and _is_dead(trial):
                self.release(trial._trial_id)
                self.add([piece])
                trial = self._pieces().get(piece)
            if trial is None or trial.state != TrialState.WAITING or not self._take(trial._trial_id):
                continue
            self._storage.set_trial_user_attr(trial._trial_id, "owner", _me())
            self.beat(trial._trial_id, at_once=True)
            return piece, trial._trial_id
        return None

    def _take(self, number: int) -> bool:
        try:
            return self._storage.set_trial_state_values(number, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    def beat(self, number: int, at_once: bool = False) -> None:
        """Says that the worker of a piece is alive, if it did not say so just before."""
        now = time.time()
        if at_once or now - self._beaten > BEAT:
            self._storage.set_trial_user_attr(number, "alive", now)
            self._beaten = now

    def finish(self, number: int, result: Any) -> None:
        """Hands in the result of a piece, plain JSON values."""
        try:
            self._storage.set_trial_user_attr(number, "result", json.dumps(result, allow_nan=False))
            self._storage.set_trial_state_values(number, TrialState.COMPLETE, [0.0])
        except UpdateFinishedTrialError:
            return  # this worker was taken for dead, and another does the piece

    def release(self, number: int) -> None:
        """Gives a piece back unfinished."""
        try:
            self._storage.set_trial_state_values(number, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return

    def _pieces(self) -> dict[str, FrozenTrial]:
        """The trial of each piece: the earliest that did not fail, should two workers have added it at once."""
        trials = self._storage.get_all_trials(self._id, deepcopy=False)
        found: dict[str, FrozenTrial] = {}
        for trial in sorted(trials, key=lambda trial: trial.number):
            if trial.state != TrialState.FAIL and "piece" in trial.user_attrs:
                found.setdefault(trial.user_attrs["piece"], trial)
        return found


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def _started(process: int) -> str:
    """When a process of this machine began, in a form that tells it from a later one of the same number; "" if none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_dead(trial: FrozenTrial) -> bool:
    """Whether the worker of a running trial is known to have ended, or was silent for long."""
    host, _, process = trial.user_attrs.get("owner", "").partition(" ")
    if host == socket.gethostname() and process and Path("/proc/self/stat").exists():
        number, _, started = process.partition(" ")
        return _started(int(number)) != started
    begun = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
    return time.time() - trial.user_attrs.get("alive", begun) > SILENCE
