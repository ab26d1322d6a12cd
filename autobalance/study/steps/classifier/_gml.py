"""The geometric-mean loss (Du & Wu 2023): a trained model's classifier is trained again with it."""

from __future__ import annotations

from torch import nn

from autobalance.losses import GeometricMean
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step
from autobalance.study.steps.classifier._retrain import features_of, new_head, retrain, second_stage
from autobalance.training import Stream


def _retrained(model: nn.Module, training: Training) -> nn.Module:
    """The model with a fresh head. The batches are as they come: the loss has the prior in it."""
    head, hyper = new_head(training), training.hyper
    recipe = second_stage(training, hyper["gml_share"], hyper["gml_lr"])
    stream = Stream(features_of(model, training.samples), recipe)
    retrain(head, stream, training, GeometricMean(training.class_counts))
    model.head = head
    return model


register_step(
    Step(
        "+gml",
        "the classifier trained again, for the geometric mean of the classes' probabilities",
        {"gml_share": 0.1, "gml_lr": 0.1},
        {"gml_share": Range(0.05, 0.5), "gml_lr": Range(0.001, 0.5, "log")},
        check=needs_parts,
        after=_retrained,
    )
)
