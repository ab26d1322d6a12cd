"""Just train twice (Liu et al. 2021, algorithm 1): what a short training gets wrong counts more in a second one."""

from __future__ import annotations

import torch

from autobalance.data import Samples
from autobalance.losses import ParametricLoss
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step
from autobalance.tasks import outputs
from autobalance.training import train


def _errors_again(training: Training) -> Samples:
    """The samples, and those that a first model gets wrong λ - 1 times more.

    The first model is trained with cross-entropy for a share of the epochs, T of all in the paper.
    """
    setting, samples, hyper = training.setting, training.samples, training.hyper
    first = setting.new_model(training.seed, training.head)
    loss = ParametricLoss(setting.problem.num_classes).to(setting.device)
    train(first, samples, loss, training.stage(hyper["jtt_share"]), training.seed)
    wrong = (outputs(first, samples).argmax(1) != samples.y).nonzero()[:, 0].cpu()
    more = wrong.repeat(max(0, round(hyper["jtt_factor"]) - 1))
    return samples.subset(torch.cat([torch.arange(len(samples)), more]))


register_step(
    Step(
        "+jtt",
        "what a first, short training gets wrong counts more",
        {"jtt_share": 0.2, "jtt_factor": 20.0},
        {"jtt_share": Range(0.05, 0.5), "jtt_factor": Range(2, 100, "log")},
        samples=_errors_again,
    )
)
