"""The cells of the comparison: the rivals on one split of a problem, and each search."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.bilevel import SEARCHED, SearchPlan, check, chosen_arm, find_offsets, run, select
from autobalance.data import Batch, Samples, stratified_folds, stratum
from autobalance.study import Cell, Desk, Result, named_method
from autobalance.tasks import outputs
from autobalance.training import constant_output
from experiments.groups._ways import OFFSET, Trainer, rivals_for
from experiments.suite._case import Case, open_case
from experiments.suite._plan import Entry

#: What everything is judged by; a rival's candidate is chosen for each.
OBJECTIVES = ("worst_group", "balanced_error + deo", "balanced_error", "deo")
#: What class offsets and searches make small.
SEARCHED_FOR = OBJECTIVES[:2]
#: The default search.
OURS = "ours"
#: That candidates are chosen on, the same for all rivals.
FOLDS = 2
PLAIN = "group-la"


@dataclass(frozen=True)
class Rivals:
    """By rival and candidate the figures of the samples that folds held out, and of those that judge."""

    entry: Entry
    seed: int

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        splits = stratified_folds(case.problem, FOLDS, self.seed)
        found: dict[str, Any] = {}
        ways = rivals_for(case)
        for number, (name, train) in enumerate(ways.items()):
            desk.tell(number / len(ways), f"{self.entry.name}, split {self.seed}, {name}")
            begun = time.perf_counter()
            answers = _answers(case, judging, train, splits)
            seconds = time.perf_counter() - begun
            for candidate, (held, judged, last) in answers.items():
                known = {"held": _figures(case, held, judged), "test": _figures(case, last, judging.without_inputs())}
                found.setdefault(name, {})[candidate] = {**known, "seconds": seconds / len(answers)}
            if name in OFFSET:
                (held, judged, last), its = next(iter(answers.values())), f"{name} + offsets"
                found[its] = {text: _offset(case, text, held, judged, last, judging) for text in SEARCHED_FOR}
        return {"rivals": found, "plain_seconds": plain_seconds(case)}


def _answers(
    case: Case, judging: Samples, train: Trainer, splits: list[tuple[Tensor, Tensor]]
) -> dict[str, tuple[Tensor, Batch, Tensor]]:
    """By candidate: outputs for the samples that were held out, these samples, and outputs for those that judge."""
    pool = case.conditions.setting.pool
    parts: dict[str, list[Tensor]] = {}
    for rest, held in splits:
        for name, model in train(case, pool.subset(rest)).items():
            parts.setdefault(name, []).append(_output(case, model, pool.subset(held)))
    judged = pool.subset(torch.cat([held for _, held in splits])).without_inputs()
    last = {name: _output(case, model, judging) for name, model in train(case, case.everything).items()}
    return {name: (torch.cat(its), judged, last[name]) for name, its in parts.items()}


def _output(case: Case, model: nn.Module | None, samples: Samples) -> Tensor:
    if model is None:
        return constant_output(case.problem, case.everything, len(samples))
    return outputs(model, samples).cpu()


def _figures(case: Case, output: Tensor, batch: Batch) -> dict[str, float]:
    return {text: case.conditions.task.objective(text).metric(output, batch) for text in OBJECTIVES}


def _offset(case: Case, text: str, held: Tensor, judged: Batch, last: Tensor, judging: Samples) -> dict[str, Any]:
    """Class offsets that make an objective small on the held-out outputs; what is said of these is with offsets that
    were found on other parts of them."""
    objective, crossed = case.conditions.task.objective(text), held.clone()
    assert judged.group is not None
    begun = time.perf_counter()
    cells = torch.from_numpy(stratum(judged, None))
    shuffled = torch.randperm(len(cells), generator=torch.Generator().manual_seed(case.seed))
    part = torch.empty_like(cells)
    for cell in cells.unique():  # every cell in proportion
        members = shuffled[cells[shuffled] == cell]
        part[members] = (torch.arange(len(members)) + int(cell)) % FOLDS
    for number in range(FOLDS):
        rest = part != number
        b = find_offsets(held[rest], judged.y[rest], objective, case.seed, judged.group[rest])
        crossed[~rest] += b
    last = last + find_offsets(held, judged.y, objective, case.seed, judged.group)
    seconds = time.perf_counter() - begun
    known = {"held": _figures(case, crossed, judged), "test": _figures(case, last, judging.without_inputs())}
    return {**known, "seconds": seconds, "only": text}


def plain_seconds(case: Case) -> float:
    """What one plain training takes now."""
    begun = time.perf_counter()
    case.train([named_method(PLAIN)], case.everything)
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Searched:
    """What the default search hands out, and what it found whether or not that is handed out, judged; the search and
    its choice in plain trainings by the clock."""

    entry: Entry
    seed: int
    objective: str

    def __call__(self, desk: Desk) -> Result:
        desk.tell(0, f"{self.entry.name}, split {self.seed}, {OURS} for {self.objective}")
        case, judging = open_case(self.entry, self.seed, "test")
        setting, task = case.conditions.setting, case.conditions.task
        plan = SearchPlan(self.objective, PLAIN, recipe=case.conditions.recipe, seed=self.seed)
        begun = time.perf_counter()
        checked = check(plan, setting, task)
        state = run(checked.search)
        found, choice = checked.search.found(state), select(checked, state)
        seconds = time.perf_counter() - begun
        assert choice is not None
        taken = chosen_arm(checked, found, choice)
        figures = {
            arm.name: _figures(
                case,
                arm.answers(setting, (case.everything, judging), self.seed).output.cpu(),
                judging.without_inputs(),
            )
            for arm in (taken, checked.found_arm(found))
        }
        return {
            "test": figures[taken.name],
            "unguarded": figures[SEARCHED],
            "searched": taken.name == SEARCHED,
            "confidence": choice.confidence,
            "cost": seconds / plain_seconds(case),
        }


def cells_of(entry: Entry, split: int) -> list[Cell]:
    """The rivals, and the search for each objective."""
    asked = {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": split}
    found = [Cell(key(entry, split, "rivals"), Rivals(entry, split), asked, weight=60)]
    for objective in SEARCHED_FOR:
        work, decides = Searched(entry, split, objective), {**asked, "objective": objective}
        found.append(Cell(key(entry, split, f"{OURS}-{objective}"), work, decides, weight=8))
    return found


def key(entry: Entry, split: int, what: str) -> str:
    """Of a cell, and the name of its file."""
    return f"groups/{entry.name}-{split}-{what.replace(' + ', '-and-')}"
