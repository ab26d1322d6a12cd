"""A method: a loss, what is done before and after training with it, and the hyper-parameters of all that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.losses import CSL, Loss, ReleasedCSL, deferred
from autobalance.losses.named import effective_number_weights
from autobalance.tasks import Task, task_of
from autobalance.training import Recipe, Setting, WithFeatures, train
from experiments.methods._crt import retrain_classifier
from experiments.methods._posthoc import LogitAdjusted
from experiments.methods._ssp import pretrain_by_rotations

Hyper = dict[str, Any]

#: What a method's name can end with, and the defaults of its hyper-parameters: the papers' values.
STEPS: dict[str, Hyper] = {
    "+drw": {"drw_beta": 0.9999, "drw_start": 0.8},
    "+csl": {"strength": 1.0, "reward": 2.0},
    "+csl-released": {"strength": 1.0, "reward": 2.0},
    "+posthoc": {"posthoc_tau": 1.0},
    "+crt": {"crt_share": 0.1, "crt_lr": 0.1},
    "+ssp": {"ssp_share": 0.5},
}

#: Terms that can be added to any loss.
TERMS: dict[str, Callable[[Loss, float, float], Loss]] = {"+csl": CSL, "+csl-released": ReleasedCSL}


def of_classes(counts: Tensor) -> Tensor:
    """Samples of each class, (K,), where ``counts`` may be of cells, (K, G)."""
    return counts if counts.dim() == 1 else counts.sum(1)


@dataclass(frozen=True)
class Job:
    """One training.

    Args:
        task: the data and the model.
        samples: what is trained on.
        recipe: how.
        seed: of the weights and the order of the samples.
        hyper: the method's hyper-parameters.
        on_epoch: called with (epochs done, mean training loss).
    """

    task: Setting
    samples: Samples
    recipe: Recipe
    seed: int
    hyper: Hyper
    on_epoch: Callable[[int, float], None] | None = None

    @property
    def counts(self) -> Tensor:
        """Training samples of each class or bin, (K,), or of each class in each group, (K, G), on the CPU."""
        return task_of(self.task.problem).counts(self.samples)


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Args:
        name: as on the command line.
        parts: the loss and the steps around it, ``["la", "+crt"]``; names of `experiments.ranges.RANGES`.
        defaults: of all hyper-parameters.
        make_loss: what the task asks for, samples of each class or bin (K,), the loss's own hyper-parameters -> the
            loss.
        head: of the model, "linear" or "cosine".
        prepare: what a trial does before it trains: (task, recipe, seed, hyper) -> further hyper-parameters. The search
            finds its loss here.
        trial_cost: what a trial costs, in trainings.
        is_searched: whether the loss comes out of a search rather than out of a paper.
    """

    name: str
    parts: tuple[str, ...]
    defaults: Hyper
    make_loss: Callable[[Task, Tensor, Hyper], Loss]
    head: str = "linear"
    prepare: Callable[[Setting, Recipe, int, Hyper], Hyper] | None = None
    trial_cost: int = 1
    is_searched: bool = False

    def loss(self, goal: Task, counts: Tensor, hyper: Hyper) -> Loss:
        """The training loss: weights deferred where that is asked for, then with the CSL term."""
        own = {name: value for name, value in hyper.items() if not any(name in STEPS[s] for s in self.parts[1:])}
        loss = self.make_loss(goal, counts, own)
        if "+drw" in self.parts:
            try:
                index = counts if loss.num_groups else of_classes(counts)
                weights = effective_number_weights(index.double(), hyper["drw_beta"])
                loss = deferred(loss, weights, hyper["drw_start"])
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"{self.name}: {error}") from None
        for step, term in TERMS.items():
            if step in self.parts:
                loss = term(loss, hyper["reward"], hyper["strength"])
        return loss

    def check(self, task: Setting) -> None:
        """Raises an InputError where the method does not fit the data or the model, before anything takes time."""
        goal = task_of(task.problem)
        counts = goal.counts(task.problem.train)
        model = task.new_model(0, self.head)
        if self.prepare is None and self.loss(goal, counts, self.defaults).needs_features:
            WithFeatures(model)
        if {"+crt", "+ssp"} & set(self.parts) and not (hasattr(model, "body") and hasattr(model, "head")):
            raise InputError(f"{self.name} needs a model with the parts body and head, as autobalance.models have them")
        if "+ssp" in self.parts and not any(True for _ in model.get_submodule("body").parameters()):
            raise InputError(f"{self.name} has no effect on the model {task.model_name}: its body has no weights")
        shape = task.problem.train.shape
        if "+ssp" in self.parts and (len(shape) != 3 or shape[1] != shape[2]):
            raise InputError(f"{self.name} rotates square images; the samples have shape {tuple(shape)}")

    def train(self, job: Job) -> nn.Module:
        """Trains a fresh model.

        Returns:
            a module that maps inputs to logits, whose largest is the prediction.

        Raises:
            FloatingPointError: the training loss became NaN or infinite.
        """
        loss = self.loss(task_of(job.task.problem), job.counts, job.hyper).to(job.task.device)
        model = job.task.new_model(job.seed, self.head)
        if "+ssp" in self.parts:
            epochs = max(1, round(job.hyper["ssp_share"] * job.recipe.epochs))
            pretrain_by_rotations(model, job.samples, replace(job.recipe, epochs=epochs), job.seed)
        train(model, job.samples, loss, job.recipe, job.seed, job.on_epoch)
        if "+crt" in self.parts:
            epochs = max(1, round(job.hyper["crt_share"] * job.recipe.epochs))
            fresh = job.task.new_model((job.seed + 2**31) % 2**32, self.head).head
            assert isinstance(fresh, nn.Module)
            recipe = replace(job.recipe, epochs=epochs, lr=job.hyper["crt_lr"])
            retrain_classifier(model, fresh, job.samples, job.task.problem.num_classes, recipe, job.seed)
        if "+posthoc" in self.parts:
            counts = of_classes(job.counts)
            prior = torch.log(counts / counts.sum()).to(job.task.device)
            model = LogitAdjusted(model, job.hyper["posthoc_tau"] * prior)
        return model
