"""The task of a problem."""

from __future__ import annotations

from autobalance.common import InputError
from autobalance.data import Problem
from autobalance.tasks._classification import Classification
from autobalance.tasks._groups import GroupClassification
from autobalance.tasks._regression import Regression
from autobalance.tasks._task import Task
from autobalance.tasks.metrics import SHOTS


def task_of(problem: Problem, shots: tuple[int, int] | None = None) -> Task:
    """What the problem asks for.

    Args:
        problem: the samples.
        shots: thresholds of many- and few-shot classes, cells or bins; None: 100 and 20.

    Raises:
        InputError: all samples are in one group, or the thresholds are out of order.
    """
    if problem.num_groups == 1:
        raise InputError("all samples are in one group: leave the groups out, or give two at least")
    if problem.bin_edges is not None:
        return Regression(problem, shots or SHOTS)
    return (GroupClassification if problem.num_groups else Classification)(problem, shots or SHOTS)
