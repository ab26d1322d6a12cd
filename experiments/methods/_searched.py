"""Rows that come out of a search: a loss from a file, and the search itself within the budget of the other methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from autobalance.bilevel import OuterLoop
from autobalance.common import InputError
from autobalance.losses import Loss, Member, RegressionLoss, load_loss, loss_from_dict, loss_to_dict
from autobalance.tasks import Regression, Task
from autobalance.training import Recipe, Setting
from experiments.methods._method import Hyper, Method

#: A trial of the search costs about this many trainings: the search itself two, and the training with what it finds.
SEARCH_COST = 3


def from_file(path: str) -> Method:
    """The row ``searched``: the loss in ``path``, as it is.

    Raises:
        InputError: there is no such file, or it holds no loss.
    """
    if not Path(path).is_file():
        raise InputError(f"--searched: there is no file {path}")
    stages = load_loss(path).stages
    margins = any(isinstance(its, Member) and "margin" in its.parameters_in_effect for _, its in stages)

    def make_loss(goal: Task, counts: Tensor, hyper: Hyper) -> Loss:
        return _fitting(load_loss(path), goal, counts, path)

    head = "cosine" if margins else "linear"  # margins are between cosines
    return Method("searched", ("searched",), {}, make_loss, head, is_searched=True)


def own_search() -> Method:
    """The row ``autobalance``: each trial searches a loss and trains with it."""
    outer = OuterLoop()
    defaults = {"outer_lr": outer.lr, "warmup": outer.warmup}
    return Method(
        "autobalance", ("autobalance",), defaults, _found, prepare=_search, trial_cost=SEARCH_COST, is_searched=True
    )


def _search(task: Setting, recipe: Recipe, seed: int, hyper: Hyper) -> Hyper:
    """Searches on the training split with the validation split as judge."""
    from autobalance import search_loss

    outer = OuterLoop(lr=hyper["outer_lr"], warmup=hyper["warmup"])
    problem = task.problem
    index: dict[str, Any] = {}
    if problem.bin_edges is not None:
        index = {"task": "regression", "bins": problem.bin_edges}
    result = search_loss(
        task.new_model(seed), problem.train, problem.validation, recipe=recipe, outer=outer, seed=seed, **index
    )
    return {"loss": loss_to_dict(result.loss.cpu())}


def _found(goal: Task, counts: Tensor, hyper: Hyper) -> Loss:
    """The loss that `_search` found; it came through the storage, so it is checked as any file is."""
    return _fitting(loss_from_dict(hyper["loss"]), goal, counts, "the searched loss")


def _fitting(loss: Loss, goal: Task, counts: Tensor, where: str) -> Loss:
    if isinstance(loss, RegressionLoss) != isinstance(goal, Regression):
        kind = "regression" if isinstance(loss, RegressionLoss) else "classification"
        raise InputError(f"{where} is a loss for --task {kind}")
    if isinstance(loss, RegressionLoss):  # its bins are its own, whatever those of the metrics are
        return loss
    groups = 0 if counts.dim() == 1 else counts.shape[1]
    if loss.num_classes != len(counts):
        raise InputError(f"{where} is a loss for {loss.num_classes} classes, the data have {len(counts)}")
    if loss.num_groups not in (0, groups):
        raise InputError(f"{where} is a loss for {loss.num_groups} groups, the data have {groups or 'none'}")
    return loss
