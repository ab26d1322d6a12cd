"""The cells of the evidence: a problem under a split with an objective, and what is the same for all objectives."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobalance.study import Cell, Desk, Result, named_method
from experiments.evidence._costs import costs_known
from experiments.evidence._plan import EvidencePlan, Track
from experiments.evidence._ways import other_models, ways
from experiments.kinds import KINDS
from experiments.objectives import FIXED, BestFixed
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

#: What cells are of, beside the best fixed loss.
WAYS, MODELS = "ways", "models"
#: What a cell takes, in plain trainings, for the time left alone; ways for each objective.
WEIGHTS = {WAYS: 25, FIXED: 20, MODELS: 10}


@dataclass(frozen=True)
class Ways:
    """By objective the figure of each way on the samples that judge, and what it took in plain trainings."""

    entry: Entry
    seed: int
    kind: str
    objectives: Sequence[str]

    @costs_known()
    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        kind = KINDS[self.kind]
        often = kind.shares(judging.y, case.everything.y)
        judged = judging.subset(often).without_inputs()
        made = ways(case, judging, kind, self.objectives, desk)
        begun = time.perf_counter()
        case.train([named_method(kind.plain, case.kind)], case.everything)
        plain = time.perf_counter() - begun
        found = {}
        for objective, its in made.items():
            metric = case.conditions.task.objective(objective).metric
            found[objective] = {
                "figures": {name: metric(way.output[often], judged) for name, way in its.items()},
                "cost": {name: way.seconds / plain for name, way in its.items()},
                "about": {name: way.about for name, way in its.items() if way.about},
            }
        return {
            **found,
            "plain_seconds": plain,
            "test_share": len(judging) / len(case.everything),
            "counts": case.conditions.task.counts(case.everything).tolist(),
        }


@dataclass(frozen=True)
class Fixed(BestFixed):
    """The best fixed loss for objectives of the plan."""

    @costs_known()
    def __call__(self, desk: Desk) -> Result:
        return super().__call__(desk)


@dataclass(frozen=True)
class Models:
    """The figures of other kinds of models for imbalanced tables, by objective: shown, and no part of the bars."""

    entry: Entry
    seed: int
    kind: str
    objectives: Sequence[str]

    @costs_known()
    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        desk.tell(0, f"{self.entry.name}, other models")
        kind, task = KINDS[self.kind], case.conditions.task
        objectives = {name: task.objective(name) for name in self.objectives}
        often = kind.shares(judging.y, case.everything.y)
        judged = judging.subset(often).without_inputs()
        found = other_models(case, judging, objectives)
        return {
            objective: {
                name: objectives[objective].metric(its[objective][often], judged) for name, its in found.items()
            }
            for objective in objectives
        }


def cells(plan: EvidencePlan) -> list[Cell]:
    """In the order of work: a split of every problem of every track, then the next split."""
    found = []
    for split in range(max(track.splits for track in plan.tracks)):
        for track in plan.tracks:
            if split < track.splits:
                found += [each for entry in track.problems for each in _of(track, entry, split)]
    return found


def _of(track: Track, entry: Entry, split: int) -> list[Cell]:
    asked = {
        "entry": {**asdict(entry), "data": Path(entry.data).name},
        "seed": split,
        "objectives": list(track.objectives),
    }
    work: dict[str, type[Ways] | type[Fixed] | type[Models]] = {WAYS: Ways, FIXED: Fixed}
    if track.kind == "classes":
        work[MODELS] = Models
    return [
        Cell(
            key(track, entry, split, what),
            make(entry, split, track.kind, track.objectives),
            asked,
            weight=WEIGHTS[what] * (len(track.objectives) if what == WAYS else 1),
        )
        for what, make in work.items()
    ]


def key(track: Track, entry: Entry, split: int, what: str) -> str:
    """Of a cell, and the name of its file."""
    return f"{track.name}/{entry.name}-{split}-{plain(what)}"


def plain(text: str) -> str:
    """A text as part of a file's name."""
    return text.replace(" ", "-").replace("(", "-").removesuffix(")")


def figures(
    track: Track, entry: Entry, objective: str, done: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """What the splits of a problem say that are complete: by way, a record a split with figure and cost.

    Args:
        track, entry, objective: what is asked.
        done: results by the keys of cells.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for split in range(track.splits):
        parts = [done.get(key(track, entry, split, what)) for what in (WAYS, FIXED)]
        models = done.get(key(track, entry, split, MODELS))
        if any(part is None for part in parts) or (track.kind == "classes" and models is None):
            continue
        made, fixed = parts
        assert made is not None and fixed is not None
        its, shares = made[objective], {"test_share": made["test_share"]}
        for name, figure in its["figures"].items():
            found.setdefault(name, []).append({"figure": figure, "cost": its["cost"][name], **shares})
        best = {"figure": fixed[objective]["figure"], "cost": fixed["seconds"] / made["plain_seconds"], **shares}
        found.setdefault(FIXED, []).append(best)
        for name, figure in ((models or {}).get(objective) or {}).items():
            found.setdefault(name, []).append({"figure": figure, "cost": float("nan"), **shares})
    return found
