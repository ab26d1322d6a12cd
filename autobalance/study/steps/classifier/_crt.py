"""Classifier re-training, cRT (Kang et al. 2020): the body stays, a fresh head is trained on class-balanced batches."""

from __future__ import annotations

from torch import nn

from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step
from autobalance.study.steps.classifier._retrain import balanced, features_of, new_head, retrain, second_stage


def _retrained(model: nn.Module, training: Training) -> nn.Module:
    """The model with a fresh head, which was trained with cross-entropy."""
    head, hyper = new_head(training), training.hyper
    recipe = second_stage(training, hyper["crt_share"], hyper["crt_lr"])
    retrain(head, balanced(features_of(model, training.samples), recipe), training)
    model.head = head
    return model


register_step(
    Step(
        "+crt",
        "the classifier trained again, on class-balanced batches",
        {"crt_share": 0.1, "crt_lr": 0.1},
        {"crt_share": Range(0.05, 0.5), "crt_lr": Range(0.001, 0.5, "log")},
        check=needs_parts,
        after=_retrained,
    )
)
