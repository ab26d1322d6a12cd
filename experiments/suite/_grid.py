"""The grid of work: problems, seeds and groups of methods. A finished piece is a file, and is not done again."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobalance.cli._progress import Display
from autobalance.common import InputError, write_text
from experiments.suite._fixed import COMMON, best_of_trials, rivals, tuned, untuned
from experiments.suite._options import SuiteOptions
from experiments.suite._plan import Entry, Plan, read_plan
from experiments.suite._prepare import prepare
from experiments.suite._search import SEARCHES, check_keywords, search

#: Models that each tuned method may train, and the most that a search may cost, in plain trainings.
BUDGET = 6
SEEDS = {"small": 5, "full": 10}
#: How processes are started.
START = "spawn"
#: What a group takes, in plain trainings, for the time left alone.
WEIGHTS = {"untuned": 8, "tuned": 40, "rivals": 14}


@dataclass(frozen=True)
class Piece:
    """A group of methods on a problem under a split."""

    entry: Entry
    seed: int
    group: str

    @property
    def weight(self) -> int:
        return WEIGHTS.get(self.group, BUDGET)


@dataclass(frozen=True)
class Grid:
    """All pieces, and where they are kept."""

    options: SuiteOptions
    plan: Plan
    searches: Mapping[str, Mapping[str, Any]]
    directory: Path

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(name.strip() for name in self.options.methods.split(",")))

    @property
    def seeds(self) -> range:
        return range(self.options.seeds or SEEDS[self.options.budget])

    def pieces(self) -> list[Piece]:
        """In the order of work: a split of every problem, then the next split."""
        return [
            Piece(entry, seed, group) for seed in self.seeds for entry in self.plan.problems for group in self.groups
        ]

    def path(self, piece: Piece) -> Path:
        return self.directory / "runs" / piece.entry.name / f"{piece.group}-{piece.seed}.json"

    def do(self, piece: Piece) -> None:
        """Lets the methods choose, trains with what they chose, and judges the models once."""
        from experiments.suite._case import open_case

        case, held_out = open_case(piece.entry, piece.seed, self.options.judge)
        if piece.group == "untuned":
            choices = untuned(case)
        elif piece.group == "tuned":
            choices = tuned(case, None if self.options.budget == "full" else list(COMMON), BUDGET)
        elif piece.group == "rivals":
            keywords = self.searches["ours"]
            free = keywords.get("regression", keywords)["free"] if case.kind == "regression" else keywords["free"]
            choices = best_of_trials(case, rivals(case, free), BUDGET)
        else:
            choices = [search(case, piece.group, self.searches[piece.group])]
        models = case.train(choices, case.everything)
        results = {}
        for choice, model in zip(choices, models, strict=True):
            tested = case.judge(model, held_out)
            results[choice.method] = {
                "figure": case.figure(tested),
                "test": tested,
                "cost": choice.cost,
                "about": choice.about,
            }
        facts = {
            "counts": case.goal.counts(case.everything).tolist(),
            "held_out": len(held_out),
            "metric": case.metric_name(tested),
            "model": case.task.model_name,
            "epochs": case.recipe.epochs,
        }
        path = self.path(piece)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"problem": facts, "methods": results}, allow_nan=False) + "\n")

    def results(self) -> dict[str, dict[str, dict[int, Any]]]:
        """What is finished: by problem, method and seed; ``problem`` among the methods has the facts."""
        found: dict[str, dict[str, dict[int, Any]]] = {}
        for piece in self.pieces():
            path = self.path(piece)
            if not path.exists():
                continue
            content = json.loads(path.read_text(encoding="utf-8"))
            of_problem = found.setdefault(piece.entry.name, {})
            of_problem.setdefault("problem", {})[piece.seed] = content["problem"]
            for method, result in content["methods"].items():
                of_problem.setdefault(method, {})[piece.seed] = result
        return found


def open_grid(options: SuiteOptions) -> Grid:
    """Reads the plan, writes the prepared files, and checks what can be checked.

    Raises:
        InputError: what is wrong and what helps.
    """
    directory = Path(options.out)
    plan = read_plan(Path(options.problems), options.budget == "full", Path(options.root), options.only)
    searches = {**SEARCHES, **plan.searches}
    grid = Grid(options, plan, searches, directory)
    for name in grid.groups:
        if name in searches:
            check_keywords(name, searches[name])
        elif name not in WEIGHTS:
            raise InputError(f"--methods: {name!r} is none of {', '.join([*WEIGHTS, *searches])}")
    prepared = tuple(prepare(entry, directory / "data") for entry in plan.problems)
    return Grid(options, Plan(prepared, plan.searches), searches, directory)


def work(grid: Grid, display: Display) -> None:
    """Does all pieces that are not done, in this process or in several."""
    pieces = grid.pieces()
    left = [piece for piece in pieces if not grid.path(piece).exists()]
    done = sum(piece.weight for piece in pieces) - sum(piece.weight for piece in left)
    display.say(f"{len(grid.plan.problems)} problems, {len(grid.seeds)} splits, {', '.join(grid.groups)}: "
                f"{len(pieces)} pieces, {len(pieces) - len(left)} of them done")  # fmt: skip
    display.phase("suite", sum(piece.weight for piece in pieces), done, quiet_for=5.0)
    for piece, seconds in _finished(grid, left):
        done += piece.weight
        display.step(done, f"{piece.entry.name}, split {piece.seed}, {piece.group}: {seconds:.0f} s")


def _finished(grid: Grid, left: list[Piece]) -> Iterator[tuple[Piece, float]]:
    """The pieces as they are finished, each with the seconds it took."""
    if grid.options.workers == 1:
        for piece in left:
            yield _do(grid, piece)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context(START)
    with context.Pool(grid.options.workers) as pool:
        yield from pool.imap_unordered(_Do(grid), left)


@dataclass(frozen=True)
class _Do:
    """`_do` with its grid, fit for another process."""

    grid: Grid

    def __call__(self, piece: Piece) -> tuple[Piece, float]:
        return _do(self.grid, piece)


def _do(grid: Grid, piece: Piece) -> tuple[Piece, float]:
    begun = time.perf_counter()
    try:
        grid.do(piece)
    except InputError as error:
        raise InputError(f"{piece.entry.name}, split {piece.seed}, {piece.group}: {error}") from None
    return piece, time.perf_counter() - begun
