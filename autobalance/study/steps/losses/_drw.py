"""Deferred re-weighting (Cao et al. 2019): class-balanced weights, switched on late."""

from __future__ import annotations

from autobalance.losses import Loss, deferred
from autobalance.losses.named import effective_number_weights, named_loss
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step


def _deferred(loss: Loss, training: Training) -> Loss:
    index = training.counts if loss.num_groups else training.class_counts
    weights = effective_number_weights(index.double(), training.hyper["drw_beta"])
    return deferred(loss, weights, training.hyper["drw_start"])


register_step(
    Step(
        "+drw",
        "class-balanced weights, switched on late",
        {"drw_beta": 0.9999, "drw_start": 0.8},
        {"drw_beta": named_loss("cb").ranges["beta"], "drw_start": named_loss("ldam-drw").ranges["drw_start"]},
        loss=_deferred,
    )
)
