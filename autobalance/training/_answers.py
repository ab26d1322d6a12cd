"""What a training comes to on samples that it did not see; one that diverged counts as a constant prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autobalance.data import Problem, Samples
from autobalance.tasks import outputs

#: Why a training counts as diverged that came to an end.
NOT_FINITE = "the trained model's outputs are not all finite"


@dataclass(frozen=True)
class Answers:
    """What a trained model answers.

    Args:
        output: logits, (N, K), or predicted numbers, (N,); all finite.
        diverged: why they are a constant prediction; None: they are the model's.
    """

    output: Tensor
    diverged: str | None = None


def answers(train: Callable[[], nn.Module], problem: Problem, samples: Samples, judges: Samples) -> Answers:
    """What the model that ``train`` returns answers for ``judges``.

    A training that diverged (a loss, or outputs, that are not finite) counts as the best constant prediction after
    ``samples``, so that a comparison goes on without it.

    Args:
        train: returns a trained model, or raises a FloatingPointError.
        problem: what is asked.
        samples: what was trained on.
        judges: what is answered.
    """
    try:
        output = outputs(train(), judges)
        if torch.isfinite(output).all():
            return Answers(output)
        why = NOT_FINITE
    except FloatingPointError as error:
        why = str(error)
    return Answers(constant_output(problem, samples, len(judges)), why)


def constant_output(problem: Problem, samples: Samples, number: int) -> Tensor:
    """What the best constant prediction after ``samples`` answers for ``number`` samples: their most frequent class,
    (N, K), or the mean of their targets, (N,)."""
    if problem.bin_edges is not None:
        return samples.y.mean().expand(number)
    classes = problem.num_classes
    return F.one_hot(samples.class_counts(classes).argmax(), classes).float().expand(number, -1)
