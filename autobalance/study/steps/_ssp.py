"""Self-supervised pre-training by rotations, SSP (Yang and Xu 2020; Gidaris et al. 2018), before any training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Batch, Samples
from autobalance.losses import ParametricLoss
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, needs_parts, register_step
from autobalance.training import train


def _pretrain(model: nn.Module, training: Training) -> None:
    """Trains the model's body to tell by how many quarter turns an image was rotated; labels are not used.

    Every image is shown in all four positions each epoch. The head that tells the rotations is thrown away, the
    model's own stays as it is.
    """
    samples, body = training.samples, model.body
    assert isinstance(body, nn.Module)
    body.eval()
    with torch.no_grad():
        width = body(samples.first(2)).shape[1]
    teller = nn.Sequential(body, nn.Linear(width, 4).to(samples.device))
    recipe = training.stage(training.hyper["ssp_share"])
    train(teller, Turned.of(samples), ParametricLoss(4).to(samples.device), recipe, training.seed)


class Turned(Samples):
    """Four samples for each of N images: sample kN + i is image i after k quarter turns, its class is k."""

    @classmethod
    def of(cls, samples: Samples) -> Turned:
        return cls(samples.x, torch.arange(4, device=samples.device).repeat_interleave(len(samples)))

    def take(self, index: Tensor, crops: torch.Generator | None = None) -> Batch:
        number = len(self) // 4
        x = Samples(self.x, self.y[:number]).take(index % number, crops).x
        turns = self.y[index]
        for quarter in range(1, 4):
            x = torch.where((turns == quarter)[:, None, None, None], torch.rot90(x, quarter, (2, 3)), x)
        return Batch(x, turns)


def _check(method: str, training: Training, model: nn.Module) -> None:
    needs_parts(method, training, model)
    if not any(True for _ in model.get_submodule("body").parameters()):
        name = training.setting.model_name
        raise InputError(f"{method} has no effect on the model {name}: its body has no weights")
    shape = training.samples.shape
    if len(shape) != 3 or shape[1] != shape[2]:
        raise InputError(f"{method} rotates square images; the samples have shape {tuple(shape)}")


register_step(
    Step(
        "+ssp",
        "the body pre-trained by telling rotations of images apart",
        {"ssp_share": 0.5},
        {"ssp_share": Range(0.1, 1.0)},
        check=_check,
        before=_pretrain,
    )
)
