"""How much there is to find, and by what to choose: ``python -m experiments.headroom --root DIR``.

On each problem models are trained with logit adjustment over a grid of τ and of factors on the weight decay. The best
point of the grid for the judging samples is what no search in this plane can beat. Beside it are the points that
validation samples choose, by their error and by the objective that a search follows, for models trained without them.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from autobalance.errors import InputError
from autobalance.progress import Display
from experiments.suite._case import Case, Choice, open_case
from experiments.suite._fixed import objective_score, validation_score
from experiments.suite._options import PLANS
from experiments.suite._plan import read_plan
from experiments.suite._prepare import prepare

TAUS, DECAYS = (0.5, 0.75, 1.0, 1.25, 1.5), (1, 4, 16, 64)
#: The point that is compared with: logit adjustment as published, the recipe as given.
PLAIN = (1.0, 1)
CRITERIA = {"by validation error": validation_score, "by validation objective": objective_score}


def grid(case: Case, held_out: object) -> tuple[dict[tuple[float, int], float], dict[str, tuple[float, int]]]:
    """The figure of every point on the judging samples, and the point that each criterion chooses."""
    figures: dict[tuple[float, int], float] = {}
    scores: dict[str, dict[tuple[float, int], float]] = {name: {} for name in CRITERIA}
    for decay in DECAYS:
        recipe = replace(case.recipe, weight_decay=case.recipe.weight_decay * decay)
        choices = [Choice(str(tau), partial(case.goal.point, "la", tau=tau), recipe=recipe) for tau in TAUS]
        judged = case.train(choices, case.everything)
        validated = case.train(choices, case.problem.train)
        for tau, final, part in zip(TAUS, judged, validated, strict=True):
            figures[tau, decay] = case.figure(case.judge(final, held_out))  # type: ignore[arg-type]
            for name, score in CRITERIA.items():
                scores[name][tau, decay] = score(case, part)
    return figures, {name: min(of, key=of.__getitem__) for name, of in scores.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.headroom", description=__doc__.split(":")[0], allow_abbrev=False
    )
    parser.add_argument("--problems", default=str(PLANS / "development.yaml"), metavar="FILE.yaml")
    parser.add_argument("--root", default="data", metavar="DIR", help="where the files are that it names")
    parser.add_argument("--only", metavar="NAMES", help="these problems alone, with commas between")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="splits of each problem")
    parser.add_argument("--out", default="runs/headroom", metavar="DIR", help="where prepared files are kept")
    options = parser.parse_args(arguments)
    try:
        plan = read_plan(Path(options.problems), False, Path(options.root), options.only)
        entries = [prepare(entry, Path(options.out)) for entry in plan.problems]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    entries = [entry for entry in entries if not {"task", "group"} & set(entry.options)]
    rows, shares = [], []
    with Display() as display:
        display.phase("headroom", len(entries) * options.seeds)
        for number, entry in enumerate(entries):
            found = []
            for seed in range(options.seeds):
                found.append(grid(*open_case(entry, seed, "test")))
                display.step(number * options.seeds + seed + 1, f"{entry.name}, split {seed}")
            mean = {
                point: statistics.fmean(figures[point] for figures, _ in found)
                for point in itertools.product(TAUS, DECAYS)
            }
            best = min(mean, key=mean.__getitem__)
            row: dict[str, float] = {f"best of {len(mean)}": mean[best] - mean[PLAIN]}
            for name in CRITERIA:
                row[name] = statistics.fmean(figures[chosen[name]] - figures[PLAIN] for figures, chosen in found)
            shares.append({name: value / mean[PLAIN] for name, value in row.items()})
            text = {name: f"{value:+.2f}" for name, value in row.items()}
            rows.append(
                {"problem": entry.name, "la": f"{mean[PLAIN]:.2f}", "at": f"τ {best[0]:g}, × {best[1]}", **text}
            )
    overall = {name: f"{statistics.fmean(share[name] for share in shares):+.1%}" for name in shares[0]}
    rows.append({"problem": "on average", "la": "", "at": "", **overall})
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
