"""What tuning tries next: values that a sampler of Optuna proposes from the scores so far, or those of a list."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from autobalance.common import InputError
from autobalance.losses.named import Range
from autobalance.study._training import Hyper

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

#: Gives the sampler of a proposal, by how many there were before.
Sampler = Callable[[int], "BaseSampler"]


class Proposals(Protocol):
    """Values to try, one after the other. The same scores give the same proposals."""

    def ask(self) -> Hyper:
        """The next values."""

    def tell(self, score: float | None) -> None:
        """The score of the values asked for last, lower is better; None: they led to nothing."""


class Listed:
    """The values of a list in its order."""

    def __init__(self, values: Sequence[Hyper]) -> None:
        self._left = list(reversed(values))

    def ask(self) -> Hyper:
        return self._left.pop()

    def tell(self, score: float | None) -> None:
        return


class Sampled:
    """Values in ranges that a sampler proposes, after the first.

    Args:
        ranges: by name; widened where the first values lie outside.
        first: what the first proposal is, exactly.
        sampler: proposes the others.
    """

    def __init__(self, ranges: Mapping[str, Range], first: Hyper, sampler: Sampler) -> None:
        try:
            import optuna
        except ImportError:
            raise InputError("`tune` needs Optuna: pip install 'autobalance[tune]'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._ranges = {name: its.around(first[name]) for name, its in ranges.items()}
        self._first = {name: first[name] for name in ranges}
        self._sampler = sampler
        self._asked = 0
        self._study = optuna.create_study()
        begin = [its.as_trial(name, first[name]) for name, its in self._ranges.items()]
        self._study.enqueue_trial({key: value for part in begin for key, value in part.items()})

    def ask(self) -> Hyper:
        self._study.sampler = self._sampler(self._asked)
        self._trial = self._study.ask()
        proposed = {name: its.suggest(self._trial, name) for name, its in self._ranges.items()}
        self._asked += 1
        return dict(self._first) if self._asked == 1 else proposed  # exactly, not as 1 - (1 - beta)

    def tell(self, score: float | None) -> None:
        from optuna.trial import TrialState

        if score is None:
            self._study.tell(self._trial, state=TrialState.FAIL)
        else:
            self._study.tell(self._trial, score)


def tpe(seed: int, starts: int) -> Sampler:
    """Optuna's TPE; the first ``starts`` proposals, that of the first values among them, follow no model."""
    from optuna.samplers import TPESampler

    return _one(TPESampler(seed=seed, n_startup_trials=starts))


def seeded_tpe(name: str, seed: int, starts: int) -> Sampler:
    """The same with a seed of its own for each proposal, made of a name, a seed and the proposal's number."""
    from optuna.samplers import TPESampler

    return lambda number: TPESampler(seed=zlib.crc32(f"{seed} {name} {number}".encode()), n_startup_trials=starts)


def cma_es(seed: int, population: int) -> Sampler:
    """CMA-ES with so many proposals a generation."""
    import optuna
    from optuna.samplers import CmaEsSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _one(CmaEsSampler(seed=seed, popsize=population, n_startup_trials=0))


def _one(sampler: Any) -> Sampler:
    return lambda number: sampler
