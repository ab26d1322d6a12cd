"""A strategy from outside the package searches what the package's own search."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from toy import gaussians, linear

from autobalance import Recipe
from autobalance.bilevel import Bench, Found, SearchPlan, check, run, select
from autobalance.data import Problem
from autobalance.hypergradients import Replay, inner_step
from autobalance.tasks import task_of
from autobalance.training import setting_of_model


@dataclass(frozen=True)
class TrialsState:
    found: dict[str, torch.Tensor]
    best: float = float("inf")
    done: int = 0
    outer_steps: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any, device: Any = "cpu") -> TrialsState:
        return cls(**content)


@dataclass(frozen=True)
class Trials:
    """Random search: whole trainings with numbers drawn around the start, of which the best are kept."""

    number: int
    hypergradient: Replay = field(default_factory=Replay)
    confidence: float = 0.8
    group_confidence: float = 0.99

    def on(self, bench: Bench) -> Trials:
        return self

    def search(self, bench: Bench) -> TrialsSearch:
        return TrialsSearch(bench.planned(), self.number, bench.plan.seed)


class TrialsSearch:
    unroll, parts, state = 1, 1, TrialsState

    def __init__(self, trainee: Any, length: int, seed: int) -> None:
        self.trainee, self.length, self.seed = trainee, length, seed

    def found(self, state: TrialsState) -> Found:
        return self.trainee.found(state.found)

    def choice(self, state: TrialsState) -> None:
        return None

    def init(self) -> TrialsState:
        return TrialsState(self.trainee.space.init())

    def phase(self, state: TrialsState) -> str:
        return "trial"

    def step(self, state: TrialsState, on_share: Any = None) -> tuple[TrialsState, dict[str, Any]]:
        generator = torch.Generator().manual_seed(1000 * self.seed + state.done)
        numbers = {
            name: value + (state.done > 0) * torch.randn(value.shape, generator=generator).to(value)
            for name, value in self.trainee.space.init().items()
        }
        at, losses = self.trainee.start, []
        order = torch.Generator().manual_seed(self.seed)
        for _ in range(self.trainee.recipe.epochs):
            for index in self.trainee.orders(order):
                at, loss = inner_step(self.trainee.problem(0.0), at, numbers, self.trainee.batch(index, order))
                losses.append(float(loss))
        record = self.trainee.record(at, numbers, losses) | {"phase": "trial", "epoch": state.done + 1}
        better = record["objective"] < state.best
        found, best = (numbers, record["objective"]) if better else (state.found, state.best)
        return TrialsState(found, best, state.done + 1, state.outer_steps + better), record


def test_a_strategy_from_outside_is_planned_checked_run_and_chosen_from():
    parts = [gaussians(counts, seed) for seed, counts in enumerate(([40, 17, 6], [20, 9, 6]))]
    nothing = parts[0].subset(torch.empty(0, dtype=torch.int64))
    problem = Problem("toy", *parts, nothing, ("a", "b", "c"))
    plan = SearchPlan(strategy=Trials(4), recipe=Recipe(epochs=3, batch_size=16), free=("l",), start="ce")
    checked = check(plan, setting_of_model(problem, linear(3)), task_of(problem))
    records: list[dict[str, Any]] = []
    state = run(checked.search, on_step=lambda _, record: records.append(record))
    assert [record["epoch"] for record in records] == [1, 2, 3, 4] and state.done == 4
    best = min(records, key=lambda record: record["objective"])
    found = checked.search.found(state)
    assert found.loss.at(1.0).l.tolist() == best["parameters"]["l"] and state.best == best["objective"]
    assert best is not records[0]  # the start alone is not the best of four
    choice = select(checked, state)
    assert choice is not None and set(choice.held_out) == {"searched", "ce"}
