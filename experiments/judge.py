"""One training of one method, and what is measured of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch

from autobalance._task import peak_memory_mb, reset_peak_memory
from autobalance.data import Samples
from autobalance.metrics import outputs
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
    method: Method, job: Job, judged_on: Samples, yardstick: Yardstick, shots: tuple[int, int]
) -> Outcome:
    """Trains the method as ``job`` says and measures it on ``judged_on``."""
    device, problem = job.task.device, job.task.problem
    reset_peak_memory(device)
    begun = time.perf_counter()
    try:
        output = outputs(method.train(job), judged_on)
        diverged = not torch.isfinite(output).all().item()
    except FloatingPointError:
        diverged = True
    if diverged:
        output = yardstick.constant_output(problem, job.samples, len(judged_on))
    seconds = time.perf_counter() - begun
    figures = yardstick.figures(problem, output, judged_on.y, job.counts, shots)
    return Outcome(figures, seconds, peak_memory_mb(device), diverged)
