"""One search from its plan to the training that it hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autobalance.bilevel._check import CheckedPlan, check
from autobalance.bilevel._guard import Choice
from autobalance.bilevel._plan import SearchPlan
from autobalance.bilevel._select import chosen_arm, select
from autobalance.bilevel._strategy import State, run
from autobalance.bilevel.space import Found
from autobalance.tasks import task_of
from autobalance.training import Arm, Setting


@dataclass(frozen=True)
class Outcome:
    """What a search has come to.

    Args:
        checked: what was asked for.
        state: of the search, at its end.
        found: what it found.
        choice: among that and fixed losses; None where none was asked for.
        arm: the chosen training.
        diverged: trainings of the choice that count as a constant prediction, see `select`.
    """

    checked: CheckedPlan
    state: State
    found: Found
    choice: Choice | None
    arm: Arm
    diverged: dict[str, str]


def conduct(
    plan: SearchPlan, setting: Setting, on_step: Callable[[State, dict[str, Any]], None] | None = None
) -> Outcome:
    """Runs a search, and the choice that its plan asks for.

    Args:
        plan: what is searched, and how.
        setting: the problem, and how its models are made.
        on_step: see `run`.

    Raises:
        InputError: the plan does not fit the problem.
    """
    checked = check(plan, setting, task_of(setting.problem))
    state = run(checked.search, on_step=on_step)
    found = checked.search.found(state)
    diverged: dict[str, str] = {}
    choice = select(checked, state, diverged=diverged)
    return Outcome(checked, state, found, choice, chosen_arm(checked, found, choice), diverged)
