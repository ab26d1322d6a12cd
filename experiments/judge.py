"""One training of one method, and what is measured of it."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autobalance._task import peak_memory_mb, reset_peak_memory
from autobalance.data import Samples
from autobalance.metrics import classification_metrics
from experiments.methods import Job, Method


@dataclass(frozen=True)
class Outcome:
    """What came of a training. Errors in percent.

    Args:
        balanced_error, error, class_error: as in `autobalance.metrics`; None for a class without samples.
        balanced_ce: mean over the classes of the class's mean cross-entropy.
        seconds: of the training.
        memory_mb: the most memory in use during it.
        diverged: the loss became NaN or infinite; the errors are those of a constant prediction.
    """

    balanced_error: float
    error: float
    class_error: list[float | None]
    balanced_ce: float
    seconds: float
    memory_mb: float
    diverged: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def train_and_judge(method: Method, job: Job, judged_on: Samples) -> Outcome:
    """Trains the method as ``job`` says and measures it on ``judged_on``."""
    device, classes = job.task.device, job.task.problem.num_classes
    reset_peak_memory(device)
    begun = time.perf_counter()
    try:
        logits = _logits(method.train(job), judged_on)
        diverged = not torch.isfinite(logits).all().item()
    except FloatingPointError:
        diverged = True
    if diverged:  # what a model that always gives the largest class would do
        logits = torch.zeros(len(judged_on), classes, device=device)
        logits[:, int(job.class_counts.argmax())] = 1.0
    seconds = time.perf_counter() - begun
    metrics = classification_metrics(logits.argmax(1), judged_on.y, classes)
    return Outcome(
        metrics.balanced_error,
        metrics.error,
        [None if math.isnan(value) else value for value in metrics.class_error],
        _balanced_ce(logits, judged_on.y, classes),
        seconds,
        peak_memory_mb(device),
        diverged,
    )


@torch.no_grad()
def _logits(model: nn.Module, samples: Samples) -> Tensor:
    model.eval()
    return torch.cat([model(x) for x in samples.x.split(2048)])


def _balanced_ce(logits: Tensor, y: Tensor, num_classes: int) -> float:
    losses = F.cross_entropy(logits.double(), y, reduction="none")
    counts = torch.bincount(y, minlength=num_classes)
    sums = torch.zeros(num_classes, dtype=losses.dtype, device=y.device).index_add(0, y, losses)
    present = counts > 0
    return (sums[present] / counts[present]).mean().item()
