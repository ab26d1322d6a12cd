"""Which starts a search shall try: ``python -m experiments.starts --kind numbers --root DIR``.

On each problem fixed losses, each with a few weight decays, are trained on folds and on everything. A portfolio is the
default start and k further ones; from it the one is taken whose held-out outputs are best, and its figure on the
judging samples is compared with the default start's. Portfolios grow greedily: next comes the start that makes the
mean change over the problems and objectives smallest. The table shows what that gives for problems which the portfolio
was not grown on (each left out once), and the last line the portfolio of all. What is finished is kept in --out, and a
second call goes on from there.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from autobalance.cli import Display, positive
from autobalance.common import InputError
from autobalance.data import stratified_folds
from autobalance.study import Cell, Desk, Directory, Result, run_cells
from autobalance.study.report import markdown_table
from autobalance.tasks import outputs
from experiments.development import make_parser, run
from experiments.kinds import KINDS
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

#: How many starts a portfolio has beside the default.
LARGEST = 5
#: A figure is taken to be this large at least, when it is compared with another.
SMALLEST = 1e-3

#: By start and objective: the figure of the held-out outputs, and that of the judging samples.
Figures = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class Starts:
    """Every start's figures."""

    entry: Entry
    seed: int
    folds: int
    kind: str

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        setting, task = case.conditions.setting, case.conditions.task
        kind, pool = KINDS[self.kind], setting.pool
        methods = kind.fixed(case.conditions.recipe.weight_decay)
        repeated = kind.shares(judging.y, case.everything.y)
        asked_last = judging.subset(repeated)
        splits = stratified_folds(setting.problem, self.folds, self.seed)
        answers: dict[str, list[Tensor]] = {name: [] for name in methods}
        for number, (rest, held) in enumerate([*splits, (None, None)]):
            desk.tell(number / (1 + self.folds), f"{self.entry.name}, split {self.seed}")
            samples = case.everything if rest is None else pool.subset(rest)
            asked = asked_last if held is None else pool.subset(held)
            for name, model in zip(methods, case.train(list(methods.values()), samples), strict=True):
                if model is None:  # it diverged, and is no start
                    answers.pop(name, None)
                elif name in answers:
                    answers[name].append(outputs(model, asked).cpu())
        judged = pool.subset(torch.cat([held for _, held in splits])).without_inputs()
        figures = {}
        for name, (*parts, final) in answers.items():
            metrics = {text: task.objective(text).metric for text in kind.objectives}
            figures[name] = {
                text: (metric(torch.cat(parts), judged), metric(final, asked_last.without_inputs()))
                for text, metric in metrics.items()
            }
        return {"figures": figures}


@dataclass(frozen=True)
class Growing:
    """How portfolios grow.

    Args:
        start: the default start, which stays unless another is better.
        objectives: by which changes are averaged.
    """

    start: str
    objectives: tuple[str, ...]

    def change(self, figures: Figures, portfolio: Sequence[str], objective: str) -> float:
        """log of the figure that a portfolio gets, over that of the default start."""
        taken = min((name for name in portfolio if name in figures), key=lambda name: figures[name][objective][0])
        mine, its = (max(figures[name][objective][1], SMALLEST) for name in (taken, self.start))
        return math.log(mine / its)

    def mean_change(self, splits: Sequence[Figures], portfolio: Sequence[str], objectives: Sequence[str]) -> float:
        """The mean over splits and objectives."""
        return statistics.fmean(self.change(figures, portfolio, each) for figures in splits for each in objectives)

    def grown(self, splits: Sequence[Figures], size: int) -> list[str]:
        """The default start, and others by greedy choice."""
        portfolio, names = [self.start], {name for figures in splits for name in figures}
        while len(portfolio) <= size:
            left = sorted(names - set(portfolio))
            portfolio.append(min(left, key=lambda name: self.mean_change(splits, [*portfolio, name], self.objectives)))
        return portfolio


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("starts", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    parser.add_argument("--kind", choices=KINDS, default="numbers", help="which problems of the plan")
    parser.add_argument("--folds", type=positive, default=2, metavar="K", help="that starts are chosen on")
    return run(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    kind = KINDS[options.kind]
    entries, seeds = kind.problems(options), range(options.seeds)
    if len(entries) < 2:
        raise InputError("`problems` need two at least of this `kind`: portfolios are grown on all but one")
    cells = {
        (entry.name, seed): Cell(
            f"starts/{entry.name}-{seed}-{options.folds}",
            Starts(entry, seed, options.folds, options.kind),
            {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed, "starts": sorted(kind.fixed(1))},
        )
        for entry in entries
        for seed in seeds
    }
    with Display() as display:
        done = run_cells([*cells.values()], Directory(Path(options.out)), display=display, name="starts")
    found = {entry.name: [done[cells[entry.name, seed].key]["figures"] for seed in seeds] for entry in entries}
    growing = Growing(kind.start, kind.objectives)
    print(markdown_table(_rows(found, growing)))
    everything = [figures for its in found.values() for figures in its]
    print("\nGrown on all: " + "; ".join(growing.grown(everything, LARGEST)))


def _rows(found: Mapping[str, Sequence[Figures]], growing: Growing) -> list[dict[str, str]]:
    """For each objective and size, the change on problems that were left out."""
    grown_without = {
        left: growing.grown([figures for name, its in found.items() if name != left for figures in its], LARGEST)
        for left in found
    }
    rows = []
    for objective in growing.objectives:
        row = {"objective": objective}
        for size in range(1, LARGEST + 1):
            means = [
                growing.mean_change(its, grown_without[left][: 1 + size], [objective]) for left, its in found.items()
            ]
            better, worst = sum(mean < 0 for mean in means), math.expm1(max(means))
            mean = math.expm1(statistics.fmean(means))
            row[f"{size} more"] = f"{mean:+.1%} ({better} of {len(means)} better, worst {worst:+.1%})"
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
