"""The cells of the suite: problems, seeds and groups of methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobalance.common import InputError
from autobalance.study import Cell, Desk, Result
from experiments.suite._case import Case, Choice, open_case
from experiments.suite._fixed import COMMON, best_of_trials, rivals, tuned, untuned
from experiments.suite._options import SuiteOptions
from experiments.suite._plan import Entry, Plan, read_plan
from experiments.suite._prepare import prepare
from experiments.suite._search import SEARCHES, named_search, search

#: Models that each tuned method may train, and the most that a search may cost, in plain trainings.
BUDGET = 6
SEEDS = {"small": 5, "full": 10}
#: What a group takes, in plain trainings, for the time left alone.
WEIGHTS = {"untuned": 8, "tuned": 40, "rivals": 14}


@dataclass(frozen=True)
class Group:
    """The work of a cell: a group of methods chooses on a problem under a split, trains with what was chosen, and is
    judged once.

    Args:
        entry: the problem, prepared.
        seed: of the split and all else.
        name: untuned, tuned, rivals, or a search's.
        keywords: of the search; for rivals, of the search that they rival.
        judge: see `open_case`.
        losses: the fixed losses to tune; None: all.
        budget: trials of each tuned method.
    """

    entry: Entry
    seed: int
    name: str
    keywords: Mapping[str, Any]
    judge: str
    losses: tuple[str, ...] | None
    budget: int

    def __call__(self, desk: Desk) -> Result:
        try:
            return self._do(desk)
        except InputError as error:
            raise InputError(f"{self.entry.name}, split {self.seed}, {self.name}: {error}") from None

    def _do(self, desk: Desk) -> Result:
        case, held_out = open_case(self.entry, self.seed, self.judge)
        desk.tell(0, f"{self.entry.name}, split {self.seed}, {self.name}")
        choices = self._choices(case, desk)
        models = case.train([choice.method for choice in choices], case.everything)
        results: dict[str, Any] = {}
        for choice, model in zip(choices, models, strict=True):
            tested = case.judge(model, held_out)
            results[choice.method.name] = {
                "figure": case.figure(tested),
                "test": tested,
                "cost": choice.cost,
                "about": choice.about,
            }
        conditions = case.conditions
        facts = {
            "counts": conditions.task.counts(case.everything).tolist(),
            "held_out": len(held_out),
            "metric": case.metric_name(tested),
            "model": conditions.setting.model_name,
            "epochs": conditions.recipe.epochs,
        }
        return {"problem": facts, "methods": results}

    def _choices(self, case: Case, desk: Desk) -> list[Choice]:
        if self.name == "untuned":
            return untuned(case)
        if self.name == "tuned":
            return tuned(case, self.losses, self.budget, desk)
        if self.name == "rivals":
            its = self.keywords.get("regression", self.keywords) if case.kind == "regression" else self.keywords
            return best_of_trials(case, rivals(case, its["free"]), self.budget, desk)
        return [search(case, named_search(self.name, self.keywords))]


@dataclass(frozen=True)
class Grid:
    """What is compared on what."""

    options: SuiteOptions
    plan: Plan
    searches: Mapping[str, Mapping[str, Any]]

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(name.strip() for name in self.options.methods.split(",")))

    @property
    def seeds(self) -> range:
        return range(self.options.seeds or SEEDS[self.options.budget])

    def cells(self) -> list[Cell]:
        """In the order of work: a split of every problem, then the next split."""
        return [self._cell(entry, seed, name) for seed in self.seeds for entry in self.plan.problems
                for name in self.groups]  # fmt: skip

    def key(self, entry: Entry, seed: int, name: str) -> str:
        return f"runs/{entry.name}/{name}-{seed}"

    def _cell(self, entry: Entry, seed: int, name: str) -> Cell:
        keywords = self.searches.get("ours" if name == "rivals" else name, {})
        losses = None if self.options.budget == "full" else COMMON
        work = Group(entry, seed, name, keywords, self.options.judge, losses, BUDGET)
        decides = {**asdict(work), "entry": {**asdict(entry), "data": Path(entry.data).name}}
        return Cell(self.key(entry, seed, name), work, decides, weight=WEIGHTS.get(name, BUDGET))

    def results(self, done: Mapping[str, Result]) -> dict[str, dict[str, dict[int, Any]]]:
        """What was found: by problem, method and seed; ``problem`` among the methods has the facts."""
        found: dict[str, dict[str, dict[int, Any]]] = {}
        for seed in self.seeds:
            for entry in self.plan.problems:
                of_problem = found.setdefault(entry.name, {})
                for name in self.groups:
                    content = done[self.key(entry, seed, name)]
                    of_problem.setdefault("problem", {})[seed] = content["problem"]
                    for method, result in content["methods"].items():
                        of_problem.setdefault(method, {})[seed] = result
        return found


def open_grid(options: SuiteOptions) -> Grid:
    """Reads the plan, writes the prepared files, and checks what can be checked.

    Raises:
        InputError: what is wrong and what helps.
    """
    plan = read_plan(Path(options.problems), options.budget == "full", Path(options.root), options.only)
    searches = {**SEARCHES, **plan.searches}
    grid = Grid(options, plan, searches)
    for name in grid.groups:
        if name in searches:
            named_search(name, searches[name])
        elif name not in WEIGHTS:
            raise InputError(f"`methods`: {name!r} is none of {', '.join([*WEIGHTS, *searches])}")
    prepared = tuple(prepare(entry, Path(options.out) / "data") for entry in plan.problems)
    return Grid(options, Plan(prepared, plan.searches), searches)
