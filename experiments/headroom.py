"""How much there is to find, and by what to choose: ``python -m experiments.headroom --root DIR``.

On each problem models are trained with logit adjustment over a grid of τ and of factors on the weight decay. The best
point of the grid for the judging samples is what no search in this plane can beat. Beside it are the points that
validation samples choose, by their error and by the objective that a search follows, for models trained without them.
What is finished is kept in --out, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autobalance.cli import Display, positive
from autobalance.study import Cell, Changes, Desk, Directory, Result, named_method, run_cells
from autobalance.study.report import markdown_table
from experiments.development import classifications, make_parser, run
from experiments.suite._case import Case, open_case
from experiments.suite._plan import Entry

TAUS, DECAYS = (0.5, 0.75, 1.0, 1.25, 1.5), (1, 4, 16, 64)
#: The point that is compared with: logit adjustment as published, the recipe as given.
PLAIN = (1.0, 1)
CRITERIA = {"by validation error": Case.validation_score, "by validation objective": Case.objective_score}


@dataclass(frozen=True)
class Grid:
    """The figure of every point on the judging samples, and the point that each criterion chooses."""

    entry: Entry
    seed: int

    def __call__(self, desk: Desk) -> Result:
        case, held_out = open_case(self.entry, self.seed, "test")
        points = [(tau, decay) for decay in DECAYS for tau in TAUS]
        figures: list[float] = []
        scores: dict[str, list[float]] = {name: [] for name in CRITERIA}
        for decay in DECAYS:
            desk.tell(len(figures) / len(points), f"{self.entry.name}, split {self.seed}, decay × {decay}")
            changes = Changes({"weight_decay": case.conditions.recipe.weight_decay * decay})
            methods = [replace(named_method("la").at({"tau": tau}), recipe=changes) for tau in TAUS]
            judged, validated = (case.train(methods, part) for part in (case.everything, case.problem.train))
            figures += [case.figure(case.judge(model, held_out)) for model in judged]
            for name, score in CRITERIA.items():
                scores[name] += [score(case, model) for model in validated]
        chosen = {name: min(range(len(points)), key=its.__getitem__) for name, its in scores.items()}
        return {"points": points, "figures": figures, "chosen": chosen}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("headroom", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    return run(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    entries, seeds = classifications(options), range(options.seeds)
    cells = [
        Cell(
            f"headroom/{entry.name}-{seed}",
            Grid(entry, seed),
            {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed},
        )
        for entry in entries
        for seed in seeds
    ]
    with Display() as display:
        done = run_cells(cells, Directory(Path(options.out)), display=display, name="headroom")
    rows: list[dict[str, str]] = []
    shares: list[dict[str, float]] = []
    for entry in entries:
        found = [done[f"headroom/{entry.name}-{seed}"] for seed in seeds]
        rows.append({"problem": entry.name, **_row(found, shares)})
    if shares:
        overall = {name: f"{statistics.fmean(share[name] for share in shares):+.1%}" for name in shares[0]}
        rows.append({"problem": "on average", **overall})
    print(markdown_table(rows))


def _row(found: Sequence[dict[str, Any]], shares: list[dict[str, float]]) -> dict[str, str]:
    """The means over the splits of one problem; ``shares`` is added what they are of logit adjustment's error."""
    points = [tuple(point) for point in found[0]["points"]]
    plain = points.index(PLAIN)
    mean = [statistics.fmean(its["figures"][place] for its in found) for place in range(len(points))]
    best = min(range(len(points)), key=lambda place: (mean[place], points[place]))
    row = {f"best of {len(mean)}": mean[best] - mean[plain]}
    for name in CRITERIA:
        row[name] = statistics.fmean(its["figures"][its["chosen"][name]] - its["figures"][plain] for its in found)
    if mean[plain]:  # of no errors there is no share
        shares.append({name: value / mean[plain] for name, value in row.items()})
    tau, decay = points[best]
    text = {name: f"{value:+.2f}" for name, value in row.items()}
    return {"la": f"{mean[plain]:.2f}", "at": f"τ {tau:g}, × {decay}", **text}


if __name__ == "__main__":
    sys.exit(main())
