"""With what confidence a searched loss shall have to beat its start: ``python -m experiments.confidence --root DIR``.

On each problem, for each objective: offsets are searched on folds, and models are trained with logit adjustment and
with the searched loss. From the confidence of the choice follows what is handed out for any confidence that is needed;
the table has the change of the judged figure against logit adjustment, and how often the searched loss is handed out.
What is finished is kept in --out, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobalance.bilevel import PredictionSpace, SearchPlan, check, run
from autobalance.cli import Display, positive
from autobalance.study import Cell, Desk, Directory, Result, run_cells
from autobalance.study.report import markdown_table
from autobalance.tasks import outputs
from experiments.development import make_parser
from experiments.development import run as run_with
from experiments.kinds import KINDS
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

KIND = KINDS["classes"]
NEEDED = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Handed:
    """The figures of logit adjustment and of the searched loss, and how sure the choice is, by objective."""

    entry: Entry
    seed: int

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        judged = judging.subset(KIND.shares(judging.y, case.everything.y))
        setting, task = case.conditions.setting, case.conditions.task
        found: Result = {}
        for number, objective in enumerate(KIND.objectives):
            desk.tell(number / len(KIND.objectives), f"{self.entry.name}, split {self.seed}, {objective}")
            recipe, strategy = case.conditions.recipe, PredictionSpace()
            plan = SearchPlan(objective, KIND.plain, strategy=strategy, recipe=recipe, confidence=0.5, seed=self.seed)
            checked = check(plan, setting, task)
            state = run(checked.search)
            choice = checked.search.choice(state)
            assert choice is not None
            metric = task.objective(objective).metric
            figures = [
                metric(outputs(arm.train(setting, case.everything, self.seed), judged).cpu(), judged.without_inputs())
                for arm in (checked.fixed_arm(KIND.plain), checked.found_arm(checked.search.found(state)))
            ]
            found[objective] = {"figures": figures, "confidence": choice.confidence}
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("confidence", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    return run_with(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    cells = [
        Cell(
            f"confidence/{entry.name}-{seed}",
            Handed(entry, seed),
            {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed},
        )
        for entry in KIND.problems(options)
        for seed in range(options.seeds)
    ]
    with Display() as display:
        done = run_cells(cells, Directory(Path(options.out)), display=display, name="confidence")
    print(markdown_table([_row(objective, list(done.values())) for objective in KIND.objectives]))


def _row(objective: str, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The mean change by the confidence that is needed, and how often the searched loss is handed out."""
    row = {"objective": objective}
    for needed in NEEDED:
        taken = [its[objective]["confidence"] >= needed for its in results]
        changes = [
            its[objective]["figures"][1] / its[objective]["figures"][0] - 1 if handed else 0.0
            for its, handed in zip(results, taken, strict=True)
        ]
        row[f"{needed:g}"] = f"{statistics.fmean(changes):+.1%} ({statistics.fmean(taken):.0%})"
    return row


if __name__ == "__main__":
    sys.exit(main())
