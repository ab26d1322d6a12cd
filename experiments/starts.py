"""Which starts a search of a regression loss shall try: ``python -m experiments.starts --root DIR``.

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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from autobalance.cli import Display, positive
from autobalance.data import stratified_folds
from autobalance.report import markdown_table
from autobalance.study import Cell, Changes, Desk, Directory, Method, Result, named_method, run_cells
from autobalance.tasks import outputs
from experiments.development import make_parser, regressions, run
from experiments.suite._case import open_case
from experiments.suite._plan import Entry

OBJECTIVES = ("balanced_mae", "worst_bin", "few_shot_mae", "gm")
LOSSES = ("sqinv", "l1", "inv", "lds", "mse", "huber", "focal-r", "balanced-mse")
DECAYS = (1, 8, 64)
#: The start that stays unless another is better, and how many others are tried.
PLAIN, LARGEST = "sqinv, decay × 1", 5

#: By start and objective: the figure of the held-out outputs, and that of the judging samples.
Figures = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class Starts:
    """Every start's figures."""

    entry: Entry
    seed: int
    folds: int

    def __call__(self, desk: Desk) -> Result:
        case, judging = open_case(self.entry, self.seed, "test")
        setting, task = case.conditions.setting, case.conditions.task
        methods, pool = starts(case.conditions.recipe.weight_decay), setting.pool
        splits = stratified_folds(setting.problem, self.folds, self.seed)
        answers: dict[str, list[Tensor]] = {name: [] for name in methods}
        for number, (rest, held) in enumerate([*splits, (None, None)]):
            desk.tell(number / (1 + self.folds), f"{self.entry.name}, split {self.seed}")
            samples = case.everything if rest is None else pool.subset(rest)
            asked = judging if held is None else pool.subset(held)
            for name, model in zip(methods, case.train(list(methods.values()), samples), strict=True):
                if model is None:  # it diverged, and is no start
                    answers.pop(name, None)
                elif name in answers:
                    answers[name].append(outputs(model, asked).cpu())
        judged = pool.subset(torch.cat([held for _, held in splits])).without_inputs()
        figures = {}
        for name, (*parts, final) in answers.items():
            metrics = {text: task.objective(text).metric for text in OBJECTIVES}
            figures[name] = {
                text: (metric(torch.cat(parts), judged), metric(final, judging.without_inputs()))
                for text, metric in metrics.items()
            }
        return {"figures": figures}


def starts(decay: float) -> dict[str, Method]:
    """Fixed losses with the recipe's weight decay and with more."""
    return {
        f"{name}, decay × {factor}": replace(
            named_method(name, "regression"), recipe=Changes({"weight_decay": factor * decay})
        )
        for name in LOSSES
        for factor in DECAYS
    }


def change(figures: Figures, portfolio: Sequence[str], objective: str) -> float:
    """log of the figure that a portfolio gets, over that of the default start."""
    taken = min((name for name in portfolio if name in figures), key=lambda name: figures[name][objective][0])
    return math.log(figures[taken][objective][1] / figures[PLAIN][objective][1])


def mean_change(splits: Sequence[Figures], portfolio: Sequence[str], objectives: Sequence[str]) -> float:
    """The mean over splits and objectives."""
    return statistics.fmean(change(figures, portfolio, each) for figures in splits for each in objectives)


def grown(splits: Sequence[Figures], size: int) -> list[str]:
    """The default start, and others by greedy choice."""
    portfolio, names = [PLAIN], {name for figures in splits for name in figures}
    while len(portfolio) <= size:
        left = sorted(names - set(portfolio))
        portfolio.append(min(left, key=lambda name: mean_change(splits, [*portfolio, name], OBJECTIVES)))
    return portfolio


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = make_parser("starts", __doc__)
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="splits of each problem")
    parser.add_argument("--folds", type=positive, default=2, metavar="K", help="that starts are chosen on")
    return run(parser, _look, arguments)


def _look(options: argparse.Namespace) -> None:
    entries, seeds = regressions(options), range(options.seeds)
    cells = {
        (entry.name, seed): Cell(
            f"starts/{entry.name}-{seed}-{options.folds}",
            Starts(entry, seed, options.folds),
            {"entry": {**asdict(entry), "data": Path(entry.data).name}, "seed": seed, "starts": sorted(starts(1.0))},
        )
        for entry in entries
        for seed in seeds
    }
    with Display() as display:
        done = run_cells([*cells.values()], Directory(Path(options.out)), display=display, name="starts")
    found = {entry.name: [done[cells[entry.name, seed].key]["figures"] for seed in seeds] for entry in entries}
    print(markdown_table(_rows(found)))
    print("\nGrown on all: " + "; ".join(grown([figures for its in found.values() for figures in its], LARGEST)))


def _rows(found: Mapping[str, Sequence[Figures]]) -> list[dict[str, str]]:
    """For each objective and size, the change on problems that were left out."""
    grown_without = {
        left: grown([figures for name, its in found.items() if name != left for figures in its], LARGEST)
        for left in found
    }
    rows = []
    for objective in OBJECTIVES:
        row = {"objective": objective}
        for size in range(1, LARGEST + 1):
            means = [mean_change(its, grown_without[left][: 1 + size], [objective]) for left, its in found.items()]
            better, worst = sum(mean < 0 for mean in means), math.expm1(max(means))
            mean = math.expm1(statistics.fmean(means))
            row[f"{size} more"] = f"{mean:+.1%} ({better} of {len(means)} better, worst {worst:+.1%})"
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
