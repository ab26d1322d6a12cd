"""The trainings that are tested: each arm with each seed is a cell of a study, kept in the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from autobalance.bilevel import CheckedPlan
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._kept_model import KeptModel
from autobalance.cli._sampling import resampled
from autobalance.common import InputError
from autobalance.study import Cell, Desk, Display, Kept, Result, run_cells
from autobalance.training import Arm

#: Of a test whose training counts as a constant prediction: why.
DIVERGED = "diverged"


@dataclass(frozen=True)
class TestArm:
    """Trains an arm from scratch on all samples but the test split, and tests it once; the seconds are of both.

    Args:
        checked: the plan.
        arm: what is trained.
        seed: of the training.
        alone: whether this is the only seed, so that the test samples have to say how sure its figures are.
        kept: is offered the model.
    """

    __test__ = False  # no test of pytest's

    checked: CheckedPlan
    arm: Arm
    seed: int
    alone: bool = False
    kept: KeptModel | None = None

    def __call__(self, desk: Desk) -> Result:
        checked, setting, what = self.checked, self.checked.setting, f"{self.arm.name}, seed {self.seed}"

        def on_epoch(epoch: int, loss: float) -> None:
            desk.tell(epoch, f"{what}  training loss {loss:.3f}")

        test = setting.problem.test
        begun = time.perf_counter()
        models: list[nn.Module] = []
        parts = setting.problem.final_training, test
        answered = self.arm.answers(setting, parts, self.seed, on_epoch, models.append)
        seconds, output = time.perf_counter() - begun, answered.output
        objective = checked.bench.objective.figures(output, test.without_inputs())
        found = {**checked.task.test(output, test, checked.counts), **objective, "seconds": seconds}
        if answered.diverged is not None:
            found[DIVERGED] = answered.diverged
        elif self.kept is not None:
            self.kept.offer(self.arm, self.seed, models[0])
        return {**found, "resampled": resampled(checked, output)} if self.alone else found


@dataclass(frozen=True)
class InCheckpoint:
    """Keeps the results in the checkpoint, whose options were compared when it was opened.

    Args:
        progress: of the run.
        save: writes it.
    """

    progress: Checkpoint
    save: Callable[[], None]

    def read(self, cell: Cell, say: Callable[[str], None]) -> Kept:
        return Kept(self.progress.trainings.get(cell.key))

    def write(self, cell: Cell, kept: Kept) -> None:
        if kept.result is not None:
            self.progress.trainings[cell.key] = kept.result
            self.save()


def compare_arms(
    checked: CheckedPlan,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    store: InCheckpoint,
    display: Display,
    kept: KeptModel | None = None,
) -> None:
    """Trains and tests every arm with every seed that the checkpoint does not have yet.

    Args:
        checked: the plan.
        arms: what is compared.
        seeds: of the trainings.
        store: where the results are kept, by ``arm/seed``.
        display: shows the progress.
        kept: is offered every model.

    Raises:
        InputError: every training diverged.
    """
    alone, epochs = len(seeds) == 1, checked.recipe.epochs
    cells = [
        Cell(f"{arm.name}/{seed}", TestArm(checked, arm, seed, alone, kept), None, weight=epochs)
        for seed in seeds
        for arm in arms
    ]
    tests = run_cells(cells, store, display=display, name="retrain")
    if all(DIVERGED in test for test in tests.values()):
        raise InputError(f"every tested training diverges, with {arms[0].name}: {next(iter(tests.values()))[DIVERGED]}")
