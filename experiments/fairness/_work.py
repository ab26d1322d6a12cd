"""One seed's searches and trainings, each tested once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from autobalance.bilevel import CheckedPlan, run
from autobalance.cli._plan import checked_plan
from autobalance.common import InputError
from autobalance.losses import Loss, save_loss
from autobalance.tasks import fairness_report, outputs
from autobalance.training import train
from experiments.fairness._options import FairnessOptions
from experiments.fairness._tuning import tune
from experiments.json_files import read_json, write_json

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


@dataclass(frozen=True)
class Piece:
    """One method with one seed. ``share``: of the fairness objective where the loss is searched, else None."""

    method: str
    seed: int
    share: float | None

    def path(self, directory: Path) -> Path:
        return directory / "runs" / f"{self.method}-{self.seed}.json"


def pieces(options: FairnessOptions) -> list[Piece]:
    """All that is to be done, seed by seed."""
    found = []
    for seed in range(options.seed, options.seed + options.seeds):
        found += [Piece(name, seed, None) for name in options.baselines]
        found += [Piece(f"searched-{share:g}", seed, share) for share in options.shares]
    return found


def work(options: FairnessOptions, directory: Path, on_piece: Callable[[Piece], None]) -> Iterator[dict[str, Any]]:
    """The result of every piece: from its file where it was finished before, else by doing it.

    Args:
        options: what to do.
        directory: results are kept in ``runs``, the losses that are found in ``losses``.
        on_piece: called before each piece.
    """
    for piece in pieces(options):
        path = piece.path(directory)
        on_piece(piece)
        if (result := read_json(path)) is None:
            result = _do(options, piece, directory)
            write_json(path, result)
        yield result


def check(options: FairnessOptions) -> CheckedPlan:
    """Opens the data and checks every objective and baseline, before anything takes time.

    Raises:
        InputError: what is wrong and what helps; samples without groups.
    """
    setup = checked_plan(options.search(options.shares[0], options.seed))
    if not setup.setting.problem.num_groups:
        raise InputError(f"{options.data} has no groups: give --group COLUMN with a table, or --data digits-groups")
    for share in options.shares:
        setup.task.objective(options.objective(share))
    for name in options.baselines:
        setup.task.fixed_loss(name, setup.counts)
    return setup


def _do(options: FairnessOptions, piece: Piece, directory: Path) -> dict[str, Any]:
    setup = checked_plan(options.search(options.shares[0] if piece.share is None else piece.share, piece.seed))
    begun = time.perf_counter()
    tuned: dict[str, Any] = {"hyper": {}, "trials": []}
    if piece.share is None:
        if options.tune:
            tuned = tune(setup, piece.method, options.objective(0.5), piece.seed)
        loss = setup.task.fixed_loss(piece.method, setup.counts, **tuned["hyper"])
    else:
        loss = _searched(setup, directory / "losses" / f"{piece.method}-{piece.seed}.json")
    searched = time.perf_counter() - begun
    model = setup.setting.new_model(piece.seed)
    train(model, setup.setting.problem.final_training, loss.to(options.device), setup.recipe, piece.seed)
    seconds = time.perf_counter() - begun - searched
    return {
        "method": piece.method,
        "seed": piece.seed,
        "share": piece.share,
        **_tested(setup, outputs(model, setup.setting.problem.test)),
        **tuned,
        "train_seconds": seconds,
        "search_seconds": searched,
        "cell_counts": setup.counts.tolist(),
    }


def _searched(setup: CheckedPlan, path: Path) -> Loss:
    loss = setup.search.trainee.space.found(run(setup.search).found).loss
    path.parent.mkdir(parents=True, exist_ok=True)
    save_loss(loss.cpu(), path, {"objective": setup.plan.objective, "seed": setup.plan.seed})
    return loss


def _tested(setup: CheckedPlan, output: Tensor) -> dict[str, Any]:
    """The figures of groups, and what fairlearn says, of what a model answers for the test split."""
    problem, test = setup.setting.problem, setup.setting.problem.test
    assert test.group is not None and problem.group_names is not None
    found = setup.task.test(output, test, setup.counts)
    report = fairness_report(output.argmax(1), test.y, test.group, problem.class_names, problem.group_names)
    return {
        **{name: value for name, value in found.items() if name != "shots"},
        "demographic_parity": report.demographic_parity,
        "equalised_odds": report.equalised_odds,
        "worst_cell": list(report.worst_cell[:2]),
    }
