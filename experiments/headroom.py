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

import pandas as pd

from autobalance.cli._option_values import positive
from autobalance.cli._progress import Display
from autobalance.data import Samples
from experiments.development import classifications, make_parser, run
from experiments.suite._case import Case, Choice, open_case
from experiments.suite._fixed import objective_score, validation_score

TAUS, DECAYS = (0.5, 0.75, 1.0, 1.25, 1.5), (1, 4, 16, 64)
#: The point that is compared with: logit adjustment as published, the recipe as given.
PLAIN = (1.0, 1)
CRITERIA = {"by validation error": validation_score, "by validation objective": objective_score}


def grid(case: Case, held_out: Samples) -> tuple[dict[tuple[float, int], float], dict[str, tuple[float, int]]]:
    """The figure of every point on the judging samples, and the point that each criterion chooses."""
    figures: dict[tuple[float, int], float] = {}
    scores: dict[str, dict[tuple[float, int], float]] = {name: {} for name in CRITERIA}
    for decay in DECAYS:
        recipe = replace(case.recipe, weight_decay=case.recipe.weight_decay * decay)
        choices = [Choice(str(tau), partial(case.goal.fixed_loss, "la", tau=tau), recipe=recipe) for tau in TAUS]
        judged = case.train(choices, case.everything)
        validated = case.train(choices, case.problem.train)
        for tau, final, part in zip(TAUS, judged, validated, strict=True):
            figures[tau, decay] = case.figure(case.judge(final, held_out))
            for name, score in CRITERIA.items():
                scores[name][tau, decay] = score(case, part)
    return figures, {name: min(of, key=of.__getitem__) for name, of in scores.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("headroom", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    return run(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    entries = classifications(options)
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
            if mean[PLAIN]:  # of no errors there is no share
                shares.append({name: value / mean[PLAIN] for name, value in row.items()})
            text = {name: f"{value:+.2f}" for name, value in row.items()}
            rows.append(
                {"problem": entry.name, "la": f"{mean[PLAIN]:.2f}", "at": f"τ {best[0]:g}, × {best[1]}", **text}
            )
    if shares:
        overall = {name: f"{statistics.fmean(share[name] for share in shares):+.1%}" for name in shares[0]}
        rows.append({"problem": "on average", "la": "", "at": "", **overall})
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


if __name__ == "__main__":
    sys.exit(main())
