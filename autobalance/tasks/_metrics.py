"""True (0/1) metrics of predictions, in percent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autobalance.data import Batch, Samples
from autobalance.models import evaluating


@dataclass(frozen=True)
class ClassificationMetrics:
    """Errors in percent.

    Args:
        balanced_error: mean over the classes that have samples of the class's error.
        error: over all samples.
        class_error: by class, (K,); NaN for a class without samples.
    """

    balanced_error: float
    error: float
    class_error: list[float]


def classification_metrics(predictions: Tensor, target: Tensor, num_classes: int) -> ClassificationMetrics:
    """Compares predicted classes (N,) with targets (N,)."""
    counts = torch.bincount(target, minlength=num_classes).double()
    hits = torch.bincount(target[predictions == target], minlength=num_classes).double()
    class_error = 100 * (1 - hits / counts)
    return ClassificationMetrics(
        balanced_error=class_error.nanmean().item(),
        error=(100 * (1 - hits.sum() / counts.sum())).item(),
        class_error=class_error.tolist(),
    )


def balanced_error_of(output: Tensor, batch: Batch) -> dict[str, float]:
    """The balanced error of logits, in percent."""
    return {"balanced_error": classification_metrics(output.argmax(1), batch.y, output.shape[1]).balanced_error}


@torch.no_grad()
def predict(model: nn.Module, samples: Samples, batch_size: int = 2048) -> Tensor:
    """The predicted classes, (N,), of a model in evaluation mode; the mode of each layer is as before afterwards."""
    return outputs(model, samples, batch_size).argmax(1)


@torch.no_grad()
def outputs(model: nn.Module, samples: Samples, batch_size: int = 2048) -> Tensor:
    """What a model in evaluation mode answers, (N, ...); the mode of each layer is as before afterwards."""
    with evaluating(model):
        return torch.cat([model(batch.x) for batch in samples.batches(batch_size)])


def evaluate(model: nn.Module, samples: Samples, num_classes: int) -> ClassificationMetrics:
    """Metrics of the model's predictions on ``samples``."""
    return classification_metrics(predict(model, samples), samples.y, num_classes)
