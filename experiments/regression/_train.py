"""One training of a method in parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autobalance import FDS
from autobalance.bilevel import SearchPlan, check, run
from autobalance.common import import_function
from autobalance.data import Samples
from autobalance.losses import Loss
from autobalance.losses.named import fixed_point
from autobalance.models import Calibrated, FeatureModel
from autobalance.tasks import Regression, outputs
from autobalance.training import Recipe, Setting, train
from experiments.regression._own import own_loss, own_samples
from experiments.regression._plan import Method
from experiments.regression._smote import smote


class AnyBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of whatever a layer gives, (B, D) or (B, D, ...)."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Every number of dimensions will do."""


@dataclass
class Bench:
    """What all methods of one seed share: data, model, recipe. The searched loss is searched once a learning rate.

    Args:
        task: the problem, split by the seed.
        goal: its metrics.
        recipe: of every training, but for the learning rate where ``rates`` are given.
        seed: of weights, order and what is drawn.
        objective: what the search makes small, and what the learning rate is chosen by.
        rates: learning rates to choose from, for each method on its own; none: the recipe's.
    """

    task: Setting
    goal: Regression
    recipe: Recipe
    seed: int
    objective: str = "balanced_mae"
    rates: tuple[float, ...] = ()
    _searched: dict[tuple[str, float], Loss] = field(default_factory=dict)
    _tried: dict[Method, dict[float, float]] = field(default_factory=dict)

    def test(self, method: Method) -> dict[str, Any]:
        """Trains a method on training and validation samples and tests it once; with the ``lr`` that it used."""
        problem = self.task.problem
        recipe, tried = self.choose_rate(method)
        model, counts = self.train(method, recipe, problem.final_training)
        return {
            **self.goal.test(outputs(model, problem.test), problem.test, counts),
            "lr": recipe.lr,
            "validation": tried,
        }

    def choose_rate(self, method: Method) -> tuple[Recipe, dict[str, float]]:
        """The recipe with the rate that makes the objective's metric smallest on the validation samples, where the
        method (its kind, see `Method.kind`) was trained on the training samples; and the metric by rate."""
        if not self.rates:
            return self.recipe, {}
        tried = self._tried.get(method.kind) or {rate: self._validated(method.kind, rate) for rate in self.rates}
        self._tried[method.kind] = tried
        best = min(tried, key=tried.__getitem__)
        return replace(self.recipe, lr=best), {
            f"{rate:g}": value for rate, value in tried.items() if math.isfinite(value)
        }

    def _validated(self, method: Method, rate: float) -> float:
        """The objective's metric on the validation samples after training on the training samples."""
        problem = self.task.problem
        try:
            model, counts = self.train(method, replace(self.recipe, lr=rate), problem.train)
        except FloatingPointError:  # too high a rate for this method
            return math.inf
        return float(self.goal.test(outputs(model, problem.validation), problem.validation, counts)[self.objective])

    def train(self, method: Method, recipe: Recipe, samples: Samples) -> tuple[nn.Module, Tensor]:
        """A method trained on ``samples``, and the counts of these by bin.

        Raises:
            FloatingPointError: the training loss became NaN or infinite.
        """
        counts = self.goal.counts(samples)
        loss = self.loss(method, samples, recipe)
        if method.data == "smote":
            samples = smote(samples, self.goal.edges, self.seed)
        elif method.data != "none":
            samples = own_samples(method.data, samples, self.seed)
        model = self.task.new_model(self.seed)
        trained = self._with_layer(model, method)
        if method.stages == "rrt":
            train(trained, samples, self.point(method.error, counts), recipe, self.seed)
            _retrain_head(model, self.seed)
        train(trained, samples, loss, recipe, self.seed)
        return trained, counts

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        return fixed_point(name, bin_counts=counts, bin_edges=self.goal.edges, scale=self.goal.scale, **hyper)

    def loss(self, method: Method, samples: Samples, recipe: Recipe) -> Loss:
        """The loss that the method trains with on ``samples``."""
        counts = self.goal.counts(samples)
        if ":" in method.weight:
            return own_loss(method.weight, samples.y, self.goal.edges)
        if method.weight == "searched":
            return self.searched(method.error, recipe)
        if method.weight == "balanced-mse":
            return self.point("balanced-mse", counts, noise_sigma=method.noise_sigma)
        if method.weight == "none":
            return self.point(method.error, counts)
        hyper: dict[str, Any] = {}
        if method.weight == "lds":
            hyper = {name: getattr(method, name) for name in ("kernel", "ks", "sigma", "reweight")}
        return self.point(method.weight, counts, error=method.error, **hyper)

    def searched(self, error: str, recipe: Recipe) -> Loss:
        """The loss that the bi-level search finds around √-inverse weights, on the training and validation samples."""
        key = (error, recipe.lr)
        if key not in self._searched:
            problem = self.task.problem
            counts = self.goal.counts(problem.train)
            start = self.point("sqinv", counts, error=error)
            plan = SearchPlan(self.objective, start, ("w",), recipe=recipe, confidence=0.0, seed=self.seed)
            search = check(plan, self.task, self.goal).search
            self._searched[key] = search.trainee.space.found(run(search).found).loss
        return self._searched[key]

    def _with_layer(self, model: nn.Module, method: Method) -> nn.Module:
        if method.layer == "none":
            return model
        bins = self.task.problem.num_classes
        make: dict[str, Callable[[int], nn.Module]] = {
            "fds": partial(FDS, num_bins=bins, kernel=method.fds_kernel, ks=method.fds_ks, sigma=method.fds_sigma),
            "batch-norm": AnyBatchNorm,
            "layer-norm": lambda width: nn.GroupNorm(1, width),
            "instance-norm": lambda width: nn.GroupNorm(width, width),
        }
        if ":" in method.layer:
            make[method.layer] = import_function(method.layer)
        return Calibrated(model, method.place, make[method.layer], self.task.problem.train.first(), self.goal.edges)


def _retrain_head(model: nn.Module, seed: int) -> None:
    """Freezes the body and draws the head anew, as RRT does."""
    assert isinstance(model, FeatureModel)
    for parameter in model.body.parameters():
        parameter.requires_grad_(False)
    torch.manual_seed(seed)
    for module in model.head.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
