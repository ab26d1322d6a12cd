"""A method in parts as a method of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from autobalance import FDS
from autobalance.bilevel import Interleaved, SearchPlan
from autobalance.common import InputError, import_function
from autobalance.data import Samples
from autobalance.losses import Loss
from autobalance.models import Calibrated, FeatureModel, evaluating
from autobalance.study import Found, Hyper, Method, Step, Training, find
from autobalance.tasks import Regression, task_of
from autobalance.training import Recipe, Setting, train
from experiments.regression._own import own_loss, own_samples
from experiments.regression._plan import Parts
from experiments.regression._smote import smote


def method_of(name: str, parts: Parts, objective: str) -> Method:
    """The method that trains with these parts.

    Args:
        name: of its row.
        parts: what it is made of.
        objective: what searched weights make small.
    """
    steps = [
        Step("+data", "more samples", samples=partial(_more_samples, parts.data)),
        Step("+layer", "a layer behind another", model=partial(with_layer, parts)),
        Step("+stages", "the body without weights, then the head anew", before=partial(_first_stage, parts.error)),
    ]
    used = [step for step, part in zip(steps, (parts.data, parts.layer, parts.stages), strict=True) if part != "none"]
    search = SearchedWeights(parts.error, objective) if parts.weight == "searched" else None
    return Method(name, PartsLoss(parts), steps=tuple(used), prepare=search)


def _named(name: str, training: Training, **hyper: Any) -> Loss:
    return training.task.fixed_loss(name, training.counts, **hyper)


@dataclass(frozen=True)
class PartsLoss:
    """The loss of a method in parts, but for searched weights."""

    parts: Parts

    def __call__(self, training: Training) -> Loss:
        parts = self.parts
        if ":" in parts.weight:
            task = training.task
            assert isinstance(task, Regression)
            return own_loss(parts.weight, training.samples.y, task.edges)
        if parts.weight == "balanced-mse":
            return _named("balanced-mse", training, noise_sigma=parts.noise_sigma)
        if parts.weight in ("none", "searched"):
            return _named(parts.error, training)
        hyper: dict[str, Any] = {}
        if parts.weight == "lds":
            hyper = {name: getattr(parts, name) for name in ("kernel", "ks", "sigma", "reweight")}
        return _named(parts.weight, training, error=parts.error, **hyper)


@dataclass(frozen=True)
class SearchedWeights:
    """Finds the weights with the bi-level search around √-inverse ones, on the training and validation samples."""

    error: str
    objective: str

    def __call__(self, setting: Setting, recipe: Recipe, seed: int, hyper: Hyper) -> Found:
        problem = setting.problem
        task = task_of(problem)
        start = task.fixed_loss("sqinv", task.counts(problem.train), error=self.error)
        within = Interleaved()  # of the weights alone, whatever loss they are for
        plan = SearchPlan(self.objective, start, ("w",), strategy=within, recipe=recipe, confidence=0.0, seed=seed)
        return find(plan, setting)


def _more_samples(data: str, training: Training) -> Samples:
    task = training.task
    assert isinstance(task, Regression)
    if data == "smote":
        return smote(training.samples, task.edges, training.seed)
    return own_samples(data, training.samples, training.seed)


class AnyBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of whatever a layer gives, (B, D) or (B, D, ...)."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Every number of dimensions will do."""


class InstanceNorm(nn.GroupNorm):
    """Each feature of each sample over its places, (B, D, ...), to mean zero and variance one."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.dim() < 3:
            raise InputError(
                "instance-norm needs features that have places, (B, D, ...); these are vectors of "
                f"{input.shape[1]} numbers, which it would turn into zeros: take layer-norm, or another `place`"
            )
        return super().forward(input)


def with_layer(parts: Parts, model: nn.Module, training: Training) -> nn.Module:
    """The model with the layer of a method in its place."""
    problem, task = training.setting.problem, training.task
    assert isinstance(task, Regression)
    fds = {"num_bins": problem.num_classes, "kernel": parts.fds_kernel, "ks": parts.fds_ks, "sigma": parts.fds_sigma}
    make: Mapping[str, Callable[[int], nn.Module]] = {
        "fds": partial(FDS, **fds),  # type: ignore[arg-type]
        "batch-norm": AnyBatchNorm,
        "layer-norm": lambda width: nn.GroupNorm(1, width),
        "instance-norm": InstanceNorm,
    }
    layer = import_function(parts.layer) if ":" in parts.layer else make[parts.layer]
    calibrated, one = Calibrated(model, parts.place, layer, problem.train.first(), task.edges), problem.train.first()
    if isinstance(calibrated.layer, InstanceNorm):  # so that features it has no use for are refused at once
        with evaluating(calibrated), torch.no_grad():
            calibrated(one)
    return calibrated


def _first_stage(error: str, model: nn.Module, training: Training) -> None:
    """Trains without weights, then freezes the body and draws the head anew, as RRT does."""
    train(model, training.samples, _named(error, training), training.recipe, training.seed)
    inner = model.model if isinstance(model, Calibrated) else model
    assert isinstance(inner, FeatureModel)
    for parameter in inner.body.parameters():
        parameter.requires_grad_(False)
    torch.manual_seed(training.seed)
    for module in inner.head.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
