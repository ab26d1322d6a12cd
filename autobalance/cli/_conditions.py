"""What the commands that train many methods share: the conditions that the options describe, and who does the work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from autobalance.cli._options import ProblemOptions

if TYPE_CHECKING:
    from autobalance.study import Conditions, Executor


@dataclass(frozen=True)
class OpenConditions:
    """Opens the data, the model and the recipe that the options name: once in each process, whatever the cells.

    Args:
        options: of the problem and its training.
        shots: many-shot above the first number of training samples, few-shot below the second; None: as the options
            say, or the task.
    """

    options: ProblemOptions
    shots: tuple[int, int] | None = None

    def __call__(self) -> Conditions:
        return _opened(self.options, self.shots)


@lru_cache(maxsize=1)
def _opened(options: ProblemOptions, shots: tuple[int, int] | None) -> Conditions:
    from autobalance.cli._setting import open_setting, recipe_of
    from autobalance.study import Conditions
    from autobalance.tasks import task_of

    setting, thresholds = open_setting(options), shots or options.shots
    lr = task_of(setting.problem, thresholds).defaults.lr
    return Conditions(setting, recipe_of(options, lr), thresholds)


def executor_of(workers: int, cluster: str | None = None) -> Executor:
    """Who does the work: this process, several processes, or the workers of a cluster."""
    from autobalance.study import Cluster, InProcess, Processes

    if cluster is not None:
        return Cluster(cluster)
    return InProcess() if workers == 1 else Processes(workers)
