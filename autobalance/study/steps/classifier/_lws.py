"""Learnable weight scaling, LWS (Kang et al. 2020): a factor a class is trained on class-balanced batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step
from autobalance.study.steps.classifier._retrain import balanced, features_of, retrain, second_stage


class Scaled(nn.Module):
    """A head whose logits are multiplied by a factor each: f_k (W_k h + b_k). The head itself is not trained.

    Args:
        head: maps (B, D) to (B, K).
        classes: K.
    """

    def __init__(self, head: nn.Module, classes: int) -> None:
        super().__init__()
        self.head = head.requires_grad_(False)
        self.factor = nn.Parameter(torch.ones(classes))

    def forward(self, features: Tensor) -> Tensor:
        return self.factor * self.head(features)


def _rescaled(model: nn.Module, training: Training) -> nn.Module:
    hyper, problem = training.hyper, training.setting.problem
    head = Scaled(model.get_submodule("head"), problem.num_classes).to(training.setting.device)
    recipe = second_stage(training, hyper["lws_share"], hyper["lws_lr"])
    features = features_of(model, training.samples)
    retrain(head, balanced(features, recipe), training)
    model.head = head
    return model


register_step(
    Step(
        "+lws",
        "a factor for each class's logit, trained on class-balanced batches",
        {"lws_share": 0.1, "lws_lr": 0.1},
        {"lws_share": Range(0.05, 0.5), "lws_lr": Range(0.001, 0.5, "log")},
        check=needs_parts,
        after=_rescaled,
    )
)
