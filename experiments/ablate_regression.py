"""The command ``python -m experiments.ablate_regression``: a regression method without, or with other, parts.

Every method gets the same data, model, epochs and order of the samples; each seed draws its own split, weights and
order. The test split is looked at once a training, for the table. With ``--lrs`` the learning rate of each method is
chosen on the validation samples of its seed; nothing else is tuned.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from autobalance.cli import (
    Display,
    OpenConditions,
    Parser,
    ProblemOptions,
    add_problem_options,
    add_run_options,
    add_work_options,
    adder,
    executor_of,
    positive,
    positive_float,
    read_options,
    run_command,
    seed,
)
from autobalance.common import significant, write_json, write_text

if TYPE_CHECKING:
    from experiments.regression._plan import Plan

PROGRAM = "experiments.ablate_regression"
PLAN = Path(__file__).parent / "plans" / "ablate_regression.yaml"
PARTS = ("all", "many", "medium", "few")
#: What searched weights can make small, and what a learning rate can be chosen by: named here, so that --help is quick.
OBJECTIVES = ("balanced_mae", "mae", "mse", "gm")


@dataclass(frozen=True)
class AblateOptions(ProblemOptions):
    """What the ablation was asked to do; see ``python -m experiments.ablate_regression --help``."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"out", "yes", "workers", "cluster"})

    data: str = "diabetes"
    task: str = "regression"
    epochs: int = 30
    lr: float = 0.02
    seeds: int = 5
    objective: str = "balanced_mae"
    plan: str = str(PLAN)
    lrs: str | None = None
    workers: int = 1
    cluster: str | None = None

    @property
    def rates(self) -> tuple[float, ...]:
        """``lrs`` as numbers."""
        return () if self.lrs is None else tuple(map(float, self.lrs.split(",")))


def make_parser() -> argparse.ArgumentParser:
    """The command's parser; every default comes from `AblateOptions`."""
    parser = Parser(
        prog=f"python -m {PROGRAM}",
        description="Trains a regression method without, or with other, parts, as a plan says, and tables the test "
        "errors over all, many-, medium- and few-shot bins. Writes ablation.json and ablation.md to --out.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = AblateOptions()
    add_problem_options(parser, default, ("regression",))
    option = adder(default)
    run = parser.add_argument_group("the ablation")
    option(run, "plan", "what is taken out, replaced or added, a YAML file", metavar="FILE")
    option(run, "objective", "what the searched weights make small on validation samples, and what --lrs goes by",
           choices=OBJECTIVES)  # fmt: skip
    option(run, "lrs", "learning rates to choose from: each method and seed takes the one that does best on its "
           "validation samples; unset: --lr for all", type=_rates, metavar="RATES")  # fmt: skip
    option(run, "seed", "the first seed", type=seed, metavar="S")
    option(run, "seeds", "splits and trainings of each method", type=positive, metavar="N")
    add_work_options(run, default)
    add_run_options(run, default)
    return parser


def _rates(text: str) -> str:
    """Two or more different numbers above 0, separated by commas."""
    rates = [positive_float(part.strip()) for part in text.split(",")]
    if len(set(rates)) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} leaves nothing to choose; give rates such as 0.005,0.02,0.1")
    return ",".join(f"{rate:g}" for rate in dict.fromkeys(rates))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; see `run_command`. ``--resume`` keeps what is finished in --out."""
    return run_command(PROGRAM, lambda: read_options(AblateOptions, make_parser(), arguments), _run)


def _run(options: AblateOptions, directory: Path, resume: bool) -> None:
    from autobalance.study import Directory, run_cells
    from experiments.regression._cells import cells_of, run_key
    from experiments.regression._methods import method_of
    from experiments.regression._plan import read_plan

    plan, conditions = read_plan(Path(options.plan)), OpenConditions(options)()
    for name, parts in plan.methods.items():
        method_of(name, parts, options.objective).check(conditions.setting, conditions.recipe)
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / "config.yaml", options.to_yaml())
    cells = cells_of(plan, options, options.objective, options.rates)
    with Display() as display:
        done = run_cells(
            cells, Directory(directory), executor_of(options.workers, options.cluster), display, "ablation"
        )
    seeds = range(options.seed, options.seed + options.seeds)
    results = {name: {str(number): done[run_key(name, number)] for number in seeds} for name in plan.methods}
    write_json(directory / "ablation.json", {"data": options.data, "results": results})
    text = table(plan, results)
    write_text(directory / "ablation.md", text)
    print(text)
    print(f"  {directory / 'ablation.md'}  these tables\n  {directory / 'ablation.json'}  every run")


def table(plan: Plan, results: dict[str, dict[str, Any]]) -> str:
    """A Markdown table a metric: mean ± standard deviation over the seeds, a row a method, and the difference to the
    whole method over the same seeds; the best mean of each column in bold."""
    import numpy as np

    from experiments.regression._plan import HIGHER_IS_BETTER

    lines = []
    for metric in plan.metrics:
        values = {
            name: np.array([[_figure(test, part, metric) for part in PARTS] for test in results[name].values()])
            for name in plan.methods
        }
        means = {name: rows.mean(0) for name, rows in values.items()}
        sign = -1 if metric in HIGHER_IS_BETTER else 1
        best = sign * np.nan_to_num(np.stack([sign * mean for mean in means.values()]), nan=np.inf).min(0)
        lines += [
            "",
            f"{metric.upper().replace('_', ' ')} | " + " | ".join(PARTS) + " | all, less the full method",
            "--- |" * 6,
        ]
        whole = values[next(iter(plan.methods))]
        for name, rows in values.items():
            cells = [
                "–" if np.isnan(mean) else _best_in_bold(mean, low) + _spread(rows[:, k])
                for k, (mean, low) in enumerate(zip(means[name], best, strict=True))
            ]
            difference = rows[:, 0] - whole[:, 0]
            last = (
                ""
                if rows is whole
                else f"{'+' if difference.mean() >= 0 else ''}{significant(difference.mean(), 3)}{_spread(difference)}"
            )
            lines.append(f"{name} | {' | '.join(cells)} | {last}")
    return "\n".join(lines).strip() + "\n"


def _figure(test: dict[str, Any], part: str, metric: str) -> float:
    value = test[metric] if part == "all" else test["shots"][part].get(metric)
    return float("nan") if value is None else float(value)


def _best_in_bold(mean: float, best: float) -> str:
    return f"**{significant(mean, 4)}**" if mean == best else significant(mean, 4)


def _spread(values: Any) -> str:
    return f" ± {significant(values.std(ddof=1), 2)}" if len(values) > 1 else ""


if __name__ == "__main__":
    sys.exit(main())
