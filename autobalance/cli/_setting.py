"""What every command opens first: the data and the model that the options name, on their device."""

from __future__ import annotations

import math
import shutil
from dataclasses import fields

import torch

from autobalance.cli._options import ProblemOptions
from autobalance.common import InputError, read_yaml
from autobalance.data import DataOptions, load
from autobalance.models import backbone_size
from autobalance.training import Recipe, Setting, fine_tuned, on_backbone, on_features, setting_of

#: With fewer numbers per sample a training step is so short that threads cost more than they gain: on two busy
#: cores the default search took five times as long with two threads as with one.
SMALL_SAMPLE = 1024


def open_setting(options: ProblemOptions) -> Setting:
    """Loads the data and chooses the model.

    Raises:
        InputError: what is wrong and what helps.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu")
    if options.compiled and options.device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise InputError("--compiled needs a C++ compiler on a CPU, and there is none on the PATH; leave it out")
    if options.backbone is None and options.weights is not None:
        raise InputError(f"--weights {options.weights} has no effect without --backbone, whose weights it holds")
    if options.backbone is not None and options.model is not None:
        raise InputError(
            f"--model {options.model} has no effect with --backbone {options.backbone}, which is the model"
        )
    problem = load(options.data, data_options(options))
    if problem.make_model is not None and options.model is not None:
        raise InputError(f"--model {options.model} has no effect: {options.data} has its own model")
    if options.features_only and options.backbone is None:
        if options.model is not None:
            raise InputError(f"--model {options.model} has no effect: --features-only trains one linear layer")
        problem = on_features(problem, options.device)
    if options.augment != "none" and (options.features_only or len(problem.train.shape) != 3):
        raise InputError(f"--augment {options.augment} is for images; the samples of {options.data} are vectors")
    if options.device == "cpu" and math.prod(problem.train.shape) < SMALL_SAMPLE:
        torch.set_num_threads(1)
    if options.backbone is not None:
        setting = on_backbone if options.features_only else fine_tuned
        return setting(problem, options.backbone, options.weights, options.device)
    return setting_of(problem, "linear" if options.features_only else options.model, options.device)


def data_options(options: ProblemOptions) -> DataOptions:
    """What the options say about the data."""
    given = {field.name: getattr(options, field.name, None) for field in fields(DataOptions)}
    if options.backbone is not None and options.image_size is None:
        given["image_size"] = backbone_size(options.backbone)
    if options.columns is not None:
        given["columns"] = read_yaml(options.columns) or {}
    return DataOptions(**{name: value for name, value in given.items() if value is not None})


def recipe_of(options: ProblemOptions, lr: float | None = None) -> Recipe:
    """The recipe that the options describe; ``lr``: the task's learning rate for SGD, if the options give none."""
    names = ["epochs", "batch_size", "lr", "weight_decay", "optimizer", "momentum", "clip", "schedule", "milestones"]
    names += ["lr_decay", "warmup_epochs", "augment", "precision", "compiled"]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if lr is not None and options.optimizer == "sgd":
        given.setdefault("lr", lr)
    if options.plain_momentum:
        given["nesterov"] = False
    return Recipe(**given)
