"""Post-hoc logit adjustment (Menon et al. 2021, section 4.2): a trained model, its logits less τ log π."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.losses.named import named_loss
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step


class LogitAdjusted(nn.Module):
    """A model whose logits are lowered by ``adjustment``, (K,)."""

    def __init__(self, model: nn.Module, adjustment: Tensor) -> None:
        super().__init__()
        self.model = model
        self.adjustment: Tensor
        self.register_buffer("adjustment", adjustment)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) - self.adjustment


def _adjusted(model: nn.Module, training: Training) -> nn.Module:
    counts = training.class_counts
    prior = torch.log(counts / counts.sum()).to(training.setting.device)
    return LogitAdjusted(model, training.hyper["posthoc_tau"] * prior)


register_step(
    Step(
        "+posthoc",
        "logits adjusted after training",
        {"posthoc_tau": 1.0},
        {"posthoc_tau": named_loss("la").ranges["tau"]},
        after=_adjusted,
    )
)
