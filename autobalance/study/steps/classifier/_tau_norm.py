"""τ-normalisation (Kang et al. 2020): a trained classifier's weights are divided by a power of their norms."""

from __future__ import annotations

import torch
from torch import nn

from autobalance.common import InputError
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step


@torch.no_grad()
def _normalised(model: nn.Module, training: Training) -> nn.Module:
    """The model with the head W_k / |W_k|^τ, without a bias."""
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    norms = head.weight.norm(dim=1, keepdim=True)
    head.weight /= norms ** training.hyper["tau_norm"]
    head.register_parameter("bias", None)
    return model


def _check(method: str, training: Training, model: nn.Module) -> None:
    needs_parts(method, training, model)
    if not isinstance(model.head, nn.Linear):
        raise InputError(f"{method} divides the weights of a linear head; the model's is {type(model.head).__name__}")


register_step(
    Step(
        "+tau-norm",
        "the classifier's weights divided by a power of their norms",
        {"tau_norm": 1.0},
        {"tau_norm": Range(0.0, 2.0)},
        check=_check,
        after=_normalised,
    )
)
