"""Mixing with another sample, of any class."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from autobalance.data.augmentation._operation import Operation, Stage, over, uniform


def partners(order: Tensor) -> Tensor:
    """For each sample the next one in the order of its random number: never itself, and each once. (B,), int64."""
    ranked = order.argsort()
    found = ranked.clone()
    found[ranked] = ranked.roll(-1)
    return found


def _apply(x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """x + μ v (x' - x), with v uniform in (0, 1) and x' another sample of the batch.

    The label stays that of x, whose share is always the larger one: as in SamplePairing (Inoue 2018), not as in mixup.
    So every loss of the package can be trained with, and the samples of a batch keep their classes.
    """
    size, order = draws["mix"].unbind(1)
    return x + over(strengths["mix"] * size, x) * (x[partners(order)] - x)


MIX = Stage({"mix": Operation(0.45, "largest share of the other sample", uniform(2))}, _apply)
