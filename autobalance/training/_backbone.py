"""A pretrained network in a setting: fine-tuned as a whole, or its features with one layer to train."""

from __future__ import annotations

import os
from dataclasses import replace

from torch import Tensor

from autobalance.data import Problem
from autobalance.models import BACKBONE, FeatureModel, Standardised, pretrained_weights
from autobalance.training._features import on_features
from autobalance.training._setting import Below, Setting, setting_of


def fine_tuned(
    problem: Problem, name: str, weights: str | os.PathLike[str] | None = None, device: str = "cpu"
) -> Setting:
    """The setting in which every training starts from pretrained weights, but for the last layer.

    Args:
        problem: images, (3, S, S).
        name: see `backbone_names`.
        weights: a file; None: those that torchvision publishes.
        device: where the samples and the models go.

    Raises:
        InputError: see `pretrained_weights`.
    """
    body = pretrained_weights(name, weights)
    setting = setting_of(problem, f"{BACKBONE}{name}", device)
    plain = setting.make

    def make(seed: int, head: str) -> FeatureModel:
        model = plain(seed, head)
        assert isinstance(model, FeatureModel)
        model.body.load_state_dict(body, strict=False)  # what it lacks is what is there: features as they are
        return model

    return replace(setting, make=make)


def on_backbone(
    problem: Problem, name: str, weights: str | os.PathLike[str] | None = None, device: str = "cpu"
) -> Setting:
    """The setting whose samples are the features of a pretrained network, standardised by those of the training
    samples, and whose model is one linear layer; arguments and errors as in `fine_tuned`.

    The model that is kept takes images, see `TrainedModel.of`.
    """
    whole = fine_tuned(problem, name, weights, device)
    network, structure, encoder = whole.new_model(0), whole.structure, problem.encoder
    assert isinstance(network, FeatureModel) and structure is not None and encoder is not None
    features = on_features(replace(problem, make_model=lambda: network), device)
    standardise = network.body.get_submodule("1")
    assert isinstance(standardise, Standardised)
    assert isinstance(features.train.x, Tensor)
    standardise.measure(features.train.x)
    parts = {
        part: replace(samples, x=standardise(samples.x))
        for part in ("train", "validation", "test")
        if (samples := getattr(features, part))
    }
    setting = setting_of(replace(features, **parts), "linear", device)
    return replace(
        setting, model_name=f"linear on {structure.name}", below=Below(network.body.eval(), structure, encoder)
    )
