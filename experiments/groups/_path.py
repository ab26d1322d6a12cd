"""The trade-off: a path of blends of the error and a gap between groups, each search from where the last one ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobalance.bilevel import SEARCHED, LastLayer, LastLayerSearch, SearchPlan, check
from autobalance.study import Cell, Desk, Result
from autobalance.training import Arm
from experiments.groups._cells import PLAIN, plain_seconds
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

#: The two ends, and shares of the second.
ERROR, GAP = "balanced_error", "deo"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Of each stretch of the path; every cell has numbers of its own.
STEPS = 15
#: What is said of every point; the last two are fairlearn's.
SAID = (ERROR, "worst_group", GAP, "equalised_odds", "demographic_parity")


@dataclass(frozen=True)
class BlendPath:
    """By share: figures of the held-out samples, and of a model that was trained with what was found."""

    entry: Entry
    seed: int

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        setting, task = case.conditions.setting, case.conditions.task
        recipe = case.conditions.recipe
        plan = SearchPlan(
            ERROR, PLAIN, tie="class", strategy=LastLayer(STEPS), recipe=recipe, confidence=0.0, seed=self.seed
        )
        begun = time.perf_counter()
        search = check(plan, setting, task).search
        assert isinstance(search, LastLayerSearch)
        state = search.init()
        while state.done < search.length - 1:
            state, _ = search.step(state)
        blends = [task.objective(blend(share)) for share in SHARES]
        stops = search.along(state, blends)
        seconds, points = time.perf_counter() - begun, []
        for number, (share, (found, held)) in enumerate(zip(SHARES, stops, strict=True)):
            desk.tell(number / len(SHARES), f"{self.entry.name}, split {self.seed}, share {share:g}")
            arm = Arm(SEARCHED, found.loss, found.recipe, found.head)
            output = arm.answers(setting, (case.everything, judging), self.seed).output.cpu()
            sides = {"held": (held, search.trainee.judged), "test": (output, judging.without_inputs())}
            points.append(
                {side: {text: task.objective(text).metric(*its) for text in SAID} for side, its in sides.items()}
                | {"share": share}
            )
        return {"points": points, "cost": seconds / plain_seconds(case)}


def blend(share: float) -> str:
    """The objective with that share of the gap."""
    terms = [f"{weight:g}*{name}" for weight, name in ((1 - share, ERROR), (share, GAP)) if weight > 0]
    return " + ".join(terms)


def within(points: Sequence[Mapping[str, Any]], limit: float) -> Mapping[str, Any]:
    """The point to take for a limit on the gap: of those that keep it on held-out samples the one with the smallest
    held-out error; where none does, the one with the smallest gap."""
    kept = [point for point in points if point["held"][GAP] <= limit]
    if not kept:
        return min(points, key=lambda point: point["held"][GAP])
    return min(kept, key=lambda point: point["held"][ERROR])


def cell(entry: Entry, split: int) -> Cell:
    """The path on a split of a problem."""
    asked = {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": split, "shares": list(SHARES)}
    return Cell(f"paths/{entry.name}-{split}", BlendPath(entry, split), asked, weight=8)
