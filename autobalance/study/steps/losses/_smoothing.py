"""Label-aware smoothing (Zhong et al. 2021): labels of large classes are smoothed more."""

from __future__ import annotations

from autobalance.losses import LabelAware, Loss
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step


def _smoothed(loss: Loss, training: Training) -> Loss:
    return LabelAware(loss, training.class_counts, training.hyper["las_head"], training.hyper["las_tail"])


register_step(
    Step(
        "+las",
        "labels smoothed, those of large classes more",
        {"las_head": 0.3, "las_tail": 0.0},
        {"las_head": Range(0.1, 0.5), "las_tail": Range(0.0, 0.1)},
        loss=_smoothed,
    )
)
