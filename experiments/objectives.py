"""What a search wins where the user states the objective: ``python -m experiments.objectives --root DIR``.

On each problem, for each objective: a training with the fixed loss that searches start from, as published; the training
that each search hands out, its choice included; and the best of many fixed losses and weight decays (32 for classes, 24
for numbers) that three folds choose. All are judged by the objective's metric on the samples that judge, each class
weighted to its share of the training samples, which macro-F1 depends on. Beside it stands what search and choice took,
in seconds of that one training. What is finished is kept in --out, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autobalance.bilevel import (
    SEARCHED,
    Auto,
    Interleaved,
    PredictionSpace,
    SearchPlan,
    Strategy,
    check,
    chosen_arm,
    run,
    select,
)
from autobalance.cli import Display, positive
from autobalance.common import significant
from autobalance.data import stratified_folds
from autobalance.study import Cell, Desk, Directory, Result, run_cells
from autobalance.study.report import markdown_table
from autobalance.tasks import outputs
from experiments.development import make_parser
from experiments.development import run as run_with
from experiments.kinds import KINDS
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

SEARCHES: Mapping[str, Strategy] = {
    "auto, 4": Auto(4),
    "prediction, 4": PredictionSpace(4),
    "prediction, 15": PredictionSpace(15),
    "interleaved": Interleaved(),
}
#: With which the search within one training has to beat its start; the others say it themselves.
CONFIDENCE = {"interleaved": 0.8}
FIXED = "best fixed"
#: On which the fixed losses are chosen.
FOLDS = 3


@dataclass(frozen=True)
class Compared:
    """The figure of every way on the samples that judge, what each handed out and what it took."""

    entry: Entry
    seed: int
    objective: str
    kind: str = "classes"

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        kind = KINDS[self.kind]
        repeated = kind.shares(judging.y, case.everything.y)
        setting, task = case.conditions.setting, case.conditions.task
        metric = task.objective(self.objective).metric
        figures: dict[str, float] = {}
        about: dict[str, Any] = {}
        plain_seconds = 0.0
        for number, name in enumerate((kind.plain, *SEARCHES)):
            desk.tell(number / (1 + len(SEARCHES)), f"{self.entry.name}, {self.objective}, {name}")
            strategy = SEARCHES.get(name, PredictionSpace())
            plan = SearchPlan(
                self.objective,
                kind.plain,
                strategy=strategy,
                recipe=case.conditions.recipe,
                confidence=CONFIDENCE.get(name),
                seed=self.seed,
            )
            checked = check(plan, setting, task)
            begun = time.perf_counter()
            if name == kind.plain:
                arm = checked.fixed_arm(name)
            else:
                state = run(checked.search)
                choice = select(checked, state)
                arm = chosen_arm(checked, checked.search.found(state), choice)
                about[name] = {
                    "searched": arm.name == SEARCHED,
                    "seconds": (time.perf_counter() - begun) / plain_seconds,
                }
            begun = time.perf_counter()
            output = arm.answers(setting, (case.everything, judging), self.seed).output.cpu()
            if name == kind.plain:
                plain_seconds = time.perf_counter() - begun
            figures[name] = metric(output[repeated], judging.subset(repeated).without_inputs())
        return {"figures": figures, "about": about, "plain_seconds": plain_seconds}


@dataclass(frozen=True)
class BestFixed:
    """The fixed losses of `Kind.fixed`, of which the held-out samples of folds choose one for each objective."""

    entry: Entry
    seed: int
    kind: str
    objectives: Sequence[str]

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        kind = KINDS[self.kind]
        repeated = kind.shares(judging.y, case.everything.y)
        setting, task = case.conditions.setting, case.conditions.task
        methods, pool = kind.fixed(case.conditions.recipe.weight_decay), setting.pool
        splits = stratified_folds(setting.problem, FOLDS, self.seed)
        begun = time.perf_counter()
        held_out: dict[str, list[Tensor]] = {name: [] for name in methods}
        for number, (rest, held) in enumerate(splits):
            desk.tell(number / FOLDS, f"{self.entry.name}, {FIXED}")
            for name, model in zip(methods, case.train(list(methods.values()), pool.subset(rest)), strict=True):
                if model is not None and name in held_out:
                    held_out[name].append(outputs(model, pool.subset(held)).cpu())
                else:  # it diverged: no choice
                    held_out.pop(name, None)
        seconds = time.perf_counter() - begun
        judged = pool.subset(torch.cat([held for _, held in splits])).without_inputs()
        result: Result = {"seconds": seconds}
        for objective in self.objectives:
            metric = task.objective(objective).metric
            scores = {name: metric(torch.cat(parts), judged) for name, parts in held_out.items()}
            chosen = min(scores, key=scores.__getitem__)
            (model,) = case.train([methods[chosen]], case.everything)
            assert model is not None
            figure = metric(outputs(model, judging).cpu()[repeated], judging.subset(repeated).without_inputs())
            result[objective] = {"figure": figure, "chosen": chosen}
        return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; returns the exit status."""
    parser = make_parser("objectives", __doc__)
    parser.add_argument("--seeds", type=positive, default=2, metavar="N", help="splits of each problem")
    parser.add_argument("--kind", choices=KINDS, default="classes", help="which problems of the plan")
    return run_with(parser, _compare, arguments)


def _compare(options: argparse.Namespace) -> None:
    kind = KINDS[options.kind]
    entries, seeds = kind.problems(options), range(options.seeds)
    cells = {
        (entry.name, seed, objective): Cell(
            f"objectives/{entry.name}-{seed}-{objective}",
            Compared(entry, seed, objective, options.kind),
            {**_asked(entry, seed), "objective": objective, "searches": sorted(SEARCHES)},
        )
        for entry in entries
        for seed in seeds
        for objective in kind.objectives
    }
    rivals = [
        Cell(
            _fixed_key(entry.name, seed),
            BestFixed(entry, seed, options.kind, kind.objectives),
            {**_asked(entry, seed), "losses": list(kind.fixed(1.0))},
        )
        for entry in entries
        for seed in seeds
    ]
    with Display() as display:
        done = run_cells([*cells.values(), *rivals], Directory(Path(options.out)), display=display, name="objectives")
    results = {key: _with_fixed(done[cell.key], done[_fixed_key(*key[:2])], key[2]) for key, cell in cells.items()}
    for objective in kind.objectives:
        found = {entry.name: [results[entry.name, seed, objective] for seed in seeds] for entry in entries}
        print(f"\n{objective}\n\n{markdown_table([*_rows(found, kind.plain), *_summary(found, kind.plain)])}")


def _asked(entry: Entry, seed: int) -> dict[str, Any]:
    return {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed}


def _fixed_key(problem: str, seed: int) -> str:
    return f"fixed/{problem}-{seed}"


def _with_fixed(compared: Mapping[str, Any], fixed: Mapping[str, Any], objective: str) -> dict[str, Any]:
    """A cell's result with the best fixed loss among its ways; what the folds took is in seconds of one training."""
    its = fixed[objective]
    about = {"chosen": its["chosen"], "seconds": fixed["seconds"] / compared["plain_seconds"]}
    return {
        "figures": {**compared["figures"], FIXED: its["figure"]},
        "about": {**compared["about"], FIXED: about},
    }


def _rows(found: Mapping[str, Sequence[Mapping[str, Any]]], plain: str) -> list[dict[str, str]]:
    """The means over the splits of each problem."""
    return [
        {
            "problem": problem,
            plain: significant(_mean(its, plain), 4),
            **{name: f"{_mean(its, name) / _mean(its, plain) - 1:+.1%}" for name in (*SEARCHES, FIXED)},
        }
        for problem, its in found.items()
    ]


def _summary(found: Mapping[str, Sequence[Mapping[str, Any]]], plain: str) -> list[dict[str, str]]:
    """Over all problems: the change as a share of the plain loss's figure, on how many it is better, the worst one,
    how often the searched loss was handed out, and the cost."""
    several = list(found.values())
    lines: dict[str, dict[str, str]] = {
        label: {} for label in ("mean change", "better on", "worst", "handed out", "cost in trainings")
    }
    for name in (*SEARCHES, FIXED):
        changes = [_mean(its, name) / _mean(its, plain) - 1 for its in several]
        about = [its["about"][name] for problem in several for its in problem]
        spread = statistics.stdev(changes) / len(changes) ** 0.5 if len(changes) > 1 else 0.0
        lines["mean change"][name] = f"{statistics.fmean(changes):+.1%} ± {spread:.1%}"
        lines["better on"][name] = f"{sum(change < 0 for change in changes)} of {len(changes)}"
        lines["worst"][name] = f"{max(changes):+.1%}"
        lines["handed out"][name] = "" if name == FIXED else f"{statistics.fmean(its['searched'] for its in about):.0%}"
        lines["cost in trainings"][name] = f"{statistics.median(its['seconds'] for its in about):.1f}"
    return [{"problem": label, plain: "", **line} for label, line in lines.items()]


def _mean(its: Sequence[Mapping[str, Any]], name: str) -> float:
    return statistics.fmean(one["figures"][name] for one in its)


if __name__ == "__main__":
    sys.exit(main())
