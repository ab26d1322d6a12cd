"""With what confidence a searched loss shall have to beat its start: ``python -m experiments.confidence --root DIR``.

On each problem, for each objective: a loss is searched on folds, and models are trained with the start (logit
adjustment, with groups group-LA) and with the searched loss. From the confidence of the choice follows what is handed
out for any confidence that is needed; the table has the change of the judged figure against the start, and how often
the searched loss is handed out. What is finished is kept in --out, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autobalance.bilevel import LastLayer, PredictionSpace, SearchPlan, check, run
from autobalance.cli import Display, positive
from autobalance.study import Cell, Desk, Directory, Result, run_cells
from autobalance.study.report import markdown_table
from autobalance.tasks import outputs
from experiments.development import make_parser
from experiments.development import run as run_with
from experiments.kinds import KINDS
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

#: What is searched with, by name: of prediction space what its halves cost with the last layers on them.
STRATEGIES: Mapping[str, PredictionSpace | LastLayer] = {
    "prediction": PredictionSpace(),
    "halves": PredictionSpace(1.0),
    "last-layer": LastLayer(),
}
NEEDED = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Handed:
    """The figures of the start and of the searched loss, and how sure the choice is, by objective."""

    entry: Entry
    seed: int
    kind: str
    strategy: str

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        kind = KINDS[self.kind]
        judged = judging.subset(kind.shares(judging.y, case.everything.y))
        setting, task = case.conditions.setting, case.conditions.task
        found: Result = {}
        for number, objective in enumerate(kind.objectives):
            desk.tell(number / len(kind.objectives), f"{self.entry.name}, split {self.seed}, {objective}")
            recipe, strategy = case.conditions.recipe, STRATEGIES[self.strategy]
            plan = SearchPlan(objective, kind.plain, strategy=strategy, recipe=recipe, confidence=0.5, seed=self.seed)
            checked = check(plan, setting, task)
            state = run(checked.search)
            choice = checked.search.choice(state)
            assert choice is not None
            metric = task.objective(objective).metric
            figures = [
                metric(outputs(arm.train(setting, case.everything, self.seed), judged).cpu(), judged.without_inputs())
                for arm in (checked.fixed_arm(kind.plain), checked.found_arm(checked.search.found(state)))
            ]
            found[objective] = {"figures": figures, "confidence": choice.confidence}
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("confidence", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    parser.add_argument("--kind", choices=("classes", "groups"), default="classes", help="which problems of the plan")
    parser.add_argument("--strategy", choices=STRATEGIES, default="prediction", help="what is searched with")
    return run_with(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    kind = KINDS[options.kind]
    cells = [
        Cell(
            f"confidence/{options.strategy}-{entry.name}-{seed}",
            Handed(entry, seed, options.kind, options.strategy),
            {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed},
        )
        for entry in kind.problems(options)
        for seed in range(options.seeds)
    ]
    with Display() as display:
        done = run_cells(cells, Directory(Path(options.out)), display=display, name="confidence")
    print(markdown_table([_row(objective, list(done.values())) for objective in kind.objectives]))


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
