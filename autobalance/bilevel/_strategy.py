"""What a search is: a strategy makes one of a trainee, and it goes on step by step over explicit states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from torch import Tensor

from autobalance.bilevel._guard import Choice
from autobalance.bilevel._trainee import Trainee
from autobalance.bilevel.space import Found
from autobalance.common import tell
from autobalance.hypergradients import Engine, Hypergradient

if TYPE_CHECKING:
    from autobalance.bilevel._bench import Bench

#: Skipped steps in a row after which a search gives up and hands out what it found before.
MAX_SKIPPED_IN_A_ROW = 5


class State(Protocol):
    """All that a search carries from one step to the next.

    Attributes:
        done: steps of the search done (epochs, or whole trainings).
        outer_steps: changes of the searched numbers.
        skipped, skipped_in_a_row: changes and training steps that were not made because a value was not finite.
    """

    @property
    def done(self) -> int: ...
    @property
    def outer_steps(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def skipped_in_a_row(self) -> int: ...

    def to_dict(self) -> dict[str, Any]:
        """Plain containers of tensors and numbers, fit for ``torch.save`` and ``torch.load(weights_only=True)``."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], device: torch.device | str = "cpu") -> Self:
        """What `to_dict` wrote, weights and searched numbers on ``device``."""


class Search(Protocol):
    """A search: ``state = init()``, then ``state, record = step(state)`` until `finished`."""

    @property
    def trainee(self) -> Trainee:
        """What it trains."""

    @property
    def length(self) -> int:
        """How many steps it has, if it is not stopped early."""

    @property
    def unroll(self) -> int:
        """Training steps that a hypergradient looks back through."""

    @property
    def parts(self) -> int:
        """How finely the progress within a step is told: parts that one is divided into."""

    @property
    def state(self) -> type[State]:
        """The kind of its states."""

    def found(self, state: Any) -> Found:
        """What a state has found."""

    def choice(self, state: Any) -> Choice | None:
        """Which loss to use, where the search judged that itself on held-out outputs; else None."""

    def init(self) -> Any:
        """The `State` that it starts from."""

    def phase(self, state: Any) -> str:
        """What the next step does, in a word or two."""

    def step(self, state: Any, on_share: Callable[[float], None] | None = None) -> tuple[Any, dict[str, Any]]:
        """The next state, and a record for the history: phase, epoch (steps done) and `Trainee.record`'s figures of
        the searched numbers that were trained with.

        Args:
            state: is left as it is.
            on_share: called with the share of this step that is done.
        """


class Strategy(Protocol):
    """How the searched numbers are moved: settings alone, checked where they are made."""

    @property
    def confidence(self) -> float:
        """With which what it finds has to beat the start, where the plan does not say."""

    @property
    def group_confidence(self) -> float:
        """The same where samples have groups."""

    def on(self, bench: Bench) -> Strategy:
        """What it comes to for a plan on a setting: itself, unless it chooses among others."""

    @property
    def hypergradient(self) -> Engine:
        """The engine that differentiates through training."""

    def search(self, bench: Bench) -> Search:
        """The search of a plan on a setting.

        Raises:
            InputError: the strategy cannot search this.
        """


def stopped_early(state: State) -> bool:
    """Whether too many steps in a row had values that were not finite."""
    return state.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW


def finished(search: Search, state: State) -> bool:
    """Whether there is nothing left to do."""
    return state.done >= search.length or stopped_early(state)


def run(
    search: Search,
    state: Any = None,
    on_step: Callable[[Any, dict[str, Any]], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Any:
    """Runs a search to its end, from a given state or from the start.

    Args:
        search: what to run.
        state: one of its states.
        on_step: called after each step with the state and the record.
        on_share: called within steps with the steps that are done, parts of one included.
    """
    state = search.init() if state is None else state
    tell("search", {"steps": search.length, "done": state.done})
    while not finished(search, state):
        state, record = search.step(state, partial(_told, on_share, state.done) if search.parts > 1 else None)
        tell("epoch", record)
        if on_step is not None:
            on_step(state, record)
    return state


def _told(on_share: Callable[[float], None] | None, done: int, share: float) -> None:
    tell("share", {"done": done + share})
    if on_share is not None:
        on_share(done + share)


def tell_hypergradient(step: int, loss: float, raw: Mapping[str, Tensor], found: Hypergradient) -> None:
    """Tells callbacks of a hypergradient at the searched numbers ``raw``, ``step`` changes of which came before."""
    record = {"step": step, "train_loss": loss, "objective": float(found.objective), "finite": found.finite}
    tell("hypergradient", {**record, "value": raw, "gradient": found.gradient})


def on_device(part: Any, device: torch.device | str) -> Any:
    """A tree of dicts with its tensors on ``device``."""
    if isinstance(part, dict):
        return {key: on_device(value, device) for key, value in part.items()}
    return part.to(device) if isinstance(part, Tensor) else part
