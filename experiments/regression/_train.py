"""One training of a method in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autobalance import FDS
from autobalance._task import Task
from autobalance.bilevel import Bilevel, run
from autobalance.calibrated import Calibrated
from autobalance.errors import InputError
from autobalance.goals import Regress
from autobalance.losses import Loss
from autobalance.models import FeatureModel
from autobalance.points import fixed_point
from autobalance.space import LossSpace
from autobalance.training import Recipe, train
from experiments.regression._plan import Method
from experiments.regression._smoter import smoter


@dataclass
class Bench:
    """What all methods of one seed share: data, model, recipe. The searched loss is searched once.

    Args:
        task: the problem, split by the seed.
        goal: its metrics.
        recipe: of every training.
        seed: of weights, order and what is drawn.
        objective: what the search makes small.
    """

    task: Task
    goal: Regress
    recipe: Recipe
    seed: int
    objective: str = "balanced_mae"
    _searched: dict[str, Loss] = field(default_factory=dict)

    def test(self, method: Method) -> dict[str, Any]:
        """Trains a method on training and validation samples and tests it once."""
        problem = self.task.problem
        samples = problem.train.join(problem.validation)
        counts = self.goal.counts(samples)
        loss = self.loss(method, counts)
        if method.data == "smoter":
            samples = smoter(samples, self.goal.edges, self.seed)
        model = self.task.new_model(self.seed)
        trained = self._with_layer(model, method)
        if method.stages == "rrt":
            train(trained, samples, self.point(method.error, counts), self.recipe, self.seed)
            _retrain_head(model, self.seed)
        train(trained, samples, loss, self.recipe, self.seed)
        return self.goal.test(trained, problem.test, counts)

    def point(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        return fixed_point(name, bin_counts=counts, bin_edges=self.goal.edges, scale=self.goal.scale, **hyper)

    def loss(self, method: Method, counts: Tensor) -> Loss:
        """The loss that the method trains with; ``counts`` are the samples of each bin that it is trained on."""
        if method.weight == "searched":
            return self.searched(method.error)
        if method.weight == "balanced-mse":
            return self.point("balanced-mse", counts, noise_sigma=method.noise_sigma)
        if method.weight == "none":
            return self.point(method.error, counts)
        hyper: dict[str, Any] = {}
        if method.weight == "lds":
            hyper = {name: getattr(method, name) for name in ("kernel", "ks", "sigma", "reweight")}
        return self.point(method.weight, counts, error=method.error, **hyper)

    def searched(self, error: str) -> Loss:
        """The loss that the bi-level search finds around √-inverse weights, on the training and validation samples."""
        if error not in self._searched:
            problem = self.task.problem
            counts = self.goal.counts(problem.train)
            space = LossSpace(self.point("sqinv", counts, error=error), counts, ("w",))
            model, objective = self.task.new_model(self.seed), self.goal.objective(self.objective)
            search = Bilevel(
                model,
                problem.train,
                problem.validation,
                space,
                objective,
                recipe=self.recipe,
                seed=self.seed,
                watch=self.goal.watch,
            )
            if search.hypergradient_steps == 0:
                raise InputError("the recipe leaves no room for a hypergradient: give more --epochs")
            self._searched[error] = space.loss(run(search).best)
        return self._searched[error]

    def _with_layer(self, model: nn.Module, method: Method) -> nn.Module:
        if method.layer == "none":
            return model
        bins = self.task.problem.num_classes
        make: dict[str, Callable[[int], nn.Module]] = {
            "fds": partial(FDS, num_bins=bins, kernel=method.fds_kernel, ks=method.fds_ks, sigma=method.fds_sigma),
            "batch-norm": nn.BatchNorm1d,
            "layer-norm": nn.LayerNorm,
        }
        return Calibrated(model, method.place, make[method.layer], self.task.problem.train.x[:1], self.goal.edges)


def _retrain_head(model: nn.Module, seed: int) -> None:
    """Freezes the body and draws the head anew, as RRT does."""
    assert isinstance(model, FeatureModel)
    for parameter in model.body.parameters():
        parameter.requires_grad_(False)
    torch.manual_seed(seed)
    for module in model.head.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
