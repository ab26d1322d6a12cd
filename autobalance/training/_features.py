"""Features of a model: beside its logits, and in place of the samples, which leaves one linear layer to train."""

from __future__ import annotations

import inspect
from dataclasses import replace

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Problem, Samples


class WithFeatures(nn.Module):
    """A model that answers (logits, features) to a plain call.

    Args:
        model: called as ``model(x, return_features=True)``, as all models of ``autobalance.models`` can be.

    Raises:
        InputError: its ``forward`` has no such argument.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if "return_features" not in inspect.signature(model.forward).parameters:
            raise InputError(
                f"this loss needs the features of {type(model).__name__}: give its forward an argument "
                "return_features=False, and return (logits, features) where it is True"
            )
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(x, return_features=True)


def on_features(problem: Problem, device: str, batch_size: int = 256) -> Problem:
    """The same problem with each sample replaced by the features (D,) that the problem's own model has for it.

    One pass over all samples, in evaluation mode and without gradients. Searching on it takes seconds whatever the size
    of the model; the loss that is found is then for fine-tuning that model.

    Args:
        problem: brings a trained model, which answers ``model(x, return_features=True)`` with (logits, features).
        device: where the features are computed.
        batch_size: samples a pass.

    Raises:
        InputError: the problem brings no model, or one that offers no features.
    """
    if problem.make_model is None:
        raise InputError(
            "`features_only` needs a trained model: let `data` package.module:function return one as 'model'"
        )
    model = WithFeatures(problem.make_model()).to(device).eval()
    return replace(
        problem,
        name=f"{problem.name} features",
        train=_features(model, problem.train, batch_size),
        validation=_features(model, problem.validation, batch_size),
        test=_features(model, problem.test, batch_size),
        make_model=None,
        encoder=None,
    )


@torch.no_grad()
def _features(model: nn.Module, samples: Samples, batch_size: int) -> Samples:
    device = next(model.parameters()).device
    features = torch.cat([model(batch.x.to(device))[1].float() for batch in samples.batches(batch_size)])
    return replace(samples, x=features)
