"""The cells of the comparison: one method with one seed each, found or tuned, trained, and tested once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autobalance.cli import OpenConditions
from autobalance.common import InputError
from autobalance.losses import loss_from_dict, save_loss
from autobalance.study import (
    Cell,
    Conditions,
    Desk,
    Hyper,
    Listed,
    Method,
    Result,
    Trial,
    best,
    named_method,
    search_method,
    tune,
)
from autobalance.tasks import fairness_report, outputs
from autobalance.tasks.objectives import Blend
from experiments.fairness._options import FairnessOptions

#: The figures of a run that the table shows.
FIGURES = (
    "balanced_error",
    "error",
    "group_balanced_error",
    "worst_group_error",
    "deo",
    "demographic_parity",
    "equalised_odds",
)
#: What is tried of each fixed loss, on validation samples: three trials, what a search counts as. The first of each are
#: the papers' own values.
TRIALS: dict[str, list[dict[str, float]]] = {
    "la": [{"tau": 1.0}, {"tau": 0.5}, {"tau": 2.0}],
    "vs": [{"gamma": 0.3, "tau": 1.0}, {"gamma": 0.15, "tau": 1.0}, {"gamma": 0.3, "tau": 2.0}],
    "group-la": [{"tau": 1.0}, {"tau": 0.5}, {"tau": 2.0}],
    "group-vs": [{"gamma": 0.3, "tau": 1.0}, {"gamma": 0.15, "tau": 1.0}, {"gamma": 0.3, "tau": 2.0}],
    "group-dro": [{"eta": 0.01}, {"eta": 0.1}, {"eta": 1.0}],
}


def method_of(options: FairnessOptions, name: str, share: float | None) -> Method:
    """A fixed loss, or the search for a blend where there is a share of the fairness objective."""
    if share is None:
        return named_method(name)
    keywords = {
        "objective": options.objective(share),
        "start": options.start,
        "free": list(options.free),
        "tie": options.tie,
        "outer": {"lr": options.outer_lr, **({} if options.every is None else {"every": options.every})},
    }
    return search_method(name, keywords)


def cells(options: FairnessOptions) -> list[Cell]:
    """All that is done, seed by seed; each seed has splits of its own."""
    found, decides = [], options.identity()
    rows: list[tuple[str, float | None]] = [(name, None) for name in options.baselines]
    rows += [(f"searched-{share:g}", share) for share in options.shares]
    for seed in range(options.seed, options.seed + options.seeds):
        for name, share in rows:
            work = TrainAndTest(replace(options, seed=seed), name, share)
            found.append(Cell(f"runs/{name}-{seed}", work, {"all": decides, "method": name, "seed": seed}))
    return found


def check(options: FairnessOptions) -> Conditions:
    """Opens the data and checks every objective and baseline, before anything takes time.

    Raises:
        InputError: what is wrong and what helps; samples without groups.
    """
    conditions = OpenConditions(options)()
    if not conditions.setting.problem.num_groups:
        raise InputError(
            f"{options.data} has no groups, the samples have none: give `group` with a table, or digits-groups as "
            "`data`"
        )
    for share in options.shares:
        conditions.task.objective(options.objective(share))
        method_of(options, f"searched-{share:g}", share)
    for name in [options.start, *options.baselines]:
        named_method(name).check(conditions.setting, conditions.recipe)
    return conditions


@dataclass(frozen=True)
class TrainAndTest:
    """The work of a cell.

    Args:
        options: with the seed of the cell.
        name: of the method.
        share: of the fairness objective where the loss is searched, else None.
    """

    options: FairnessOptions
    name: str
    share: float | None

    def __call__(self, desk: Desk) -> Result:
        options, seed = self.options, self.options.seed
        conditions = OpenConditions(options)()
        setting, recipe = conditions.setting, conditions.recipe
        desk.tell(0, f"{self.name}, seed {seed}")
        begun = time.perf_counter()
        method = method_of(options, self.name, self.share)
        method, trials = self._tuned(method, conditions, desk)
        method, found = method.prepared(setting, recipe, seed)
        searched = time.perf_counter()
        model = method.train(setting, setting.problem.final_training, seed, recipe)
        trained = time.perf_counter()
        return {
            "method": self.name,
            "seed": seed,
            "share": self.share,
            **self._tested(conditions, outputs(model, setting.problem.test)),
            "hyper": best(trials)["values"] if trials else {},
            "trials": [{**trial["values"], "metric": trial["score"]} for trial in trials],
            "found": found,
            "train_seconds": trained - searched,
            "search_seconds": searched - begun,
            "cell_counts": conditions.task.counts(setting.problem.final_training).tolist(),
        }

    def _tuned(self, method: Method, conditions: Conditions, desk: Desk) -> tuple[Method, list[Trial]]:
        """The method with the best of its trials, each trained on the training split and judged on the validation
        split."""
        values = TRIALS.get(self.name, []) if self.options.tune and self.share is None else []
        if not values:
            return method, []
        setting, blend = conditions.setting.without_test(), conditions.task.objective(self.options.objective(0.5))
        assert isinstance(blend, Blend)
        part, judges = setting.problem.train, setting.problem.validation

        def attempt(number: int, asked: Sequence[Hyper]) -> list[Trial]:
            try:
                model = method.at(asked[0]).train(setting, part, self.options.seed, conditions.recipe)
            except FloatingPointError:
                return [{"score": None}]
            return [{"score": blend.metric(outputs(model, judges), judges.without_inputs())}]

        (trials,) = tune([Listed(values)], len(values), attempt, desk)
        return method.at(best(trials)["values"]), trials

    def _tested(self, conditions: Conditions, output: Any) -> dict[str, Any]:
        """The figures of the task, and what fairlearn says, of what a model answers for the test split."""
        problem, task = conditions.setting.problem, conditions.task
        test = problem.test
        assert test.group is not None and problem.group_names is not None
        report = fairness_report(output.argmax(1), test.y, test.group, problem.class_names, problem.group_names)
        return {
            **task.test(output, test, task.counts(problem.final_training)),
            "demographic_parity": report.demographic_parity,
            "equalised_odds": report.equalised_odds,
            "worst_cell": list(report.worst_cell[:2]),
        }


def save_losses(options: FairnessOptions, runs: Sequence[Result], directory: Path) -> None:
    """Writes each loss that was found."""
    directory.mkdir(parents=True, exist_ok=True)
    for run in runs:
        if run["found"] is not None:
            provenance = {"objective": options.objective(run["share"]), "seed": run["seed"]}
            save_loss(
                loss_from_dict(run["found"]["loss"]), directory / f"{run['method']}-{run['seed']}.json", provenance
            )
