"""One training of one method, or one a fold, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from autobalance.data import Samples
from autobalance.tasks import outputs
from autobalance.training import peak_memory_mb, reset_peak_memory
from experiments.methods import Job, Method
from experiments.yardsticks import Yardstick


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Args:
        figures: by name, see `Yardstick.figures`.
        seconds: of the training.
        memory_mb: the most memory in use during it.
        diverged: the loss became NaN or infinite; the figures are those of a constant prediction.
    """

    figures: dict[str, Any]
    seconds: float
    memory_mb: float
    diverged: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**self.figures, "seconds": self.seconds, "memory_mb": self.memory_mb, "diverged": self.diverged}


def train_and_judge(
    method: Method, folds: Sequence[tuple[Job, Samples]], yardstick: Yardstick, shots: tuple[int, int]
) -> Outcome:
    """Trains the method once for each job and measures it on the samples beside the job.

    With several folds the predictions of all are measured together, so that a class counts as much as any other when
    its few samples are held out in some of the folds only.
    """
    task = folds[0][0].task
    reset_peak_memory(task.device)
    begun = time.perf_counter()
    parts = [_output(method, job, judged_on, yardstick) for job, judged_on in folds]
    seconds = time.perf_counter() - begun
    judged = reduce(Samples.join, [judged_on for _, judged_on in folds])
    counts = torch.stack([job.counts for job, _ in folds]).sum(0) // len(folds)
    figures = yardstick.figures(task.problem, torch.cat([output for output, _ in parts]), judged, counts, shots)
    return Outcome(figures, seconds, peak_memory_mb(task.device), any(diverged for _, diverged in parts))


def _output(method: Method, job: Job, judged_on: Samples, yardstick: Yardstick) -> tuple[Tensor, bool]:
    """What the trained model answers, and whether the training diverged."""
    try:
        output = outputs(method.train(job), judged_on)
        if torch.isfinite(output).all():
            return output, False
    except FloatingPointError:
        pass
    return yardstick.constant_output(job.task.problem, job.samples, len(judged_on)), True
