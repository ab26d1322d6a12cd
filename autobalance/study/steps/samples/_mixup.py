"""Mixup (Zhang et al. 2018) and Remix (Chou et al. 2020): samples are mixed in pairs, and so are their classes.

x = λ x_i + (1 - λ) x_j with λ ~ Beta(α, α), one a batch, and j a random order of the batch. The share of class y_i is λ
in mixup. In Remix it is 0 where n_i / n_j >= κ and λ < τ, 1 where n_i / n_j <= 1/κ and 1 - λ < τ, and λ elsewhere: the
rare class of a pair gets the whole label unless it is nearly invisible.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.losses import Loss
from autobalance.losses.named import Range
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step
from autobalance.training import Around, Stream


class Mixed(Around):
    """A stream whose samples are mixed in pairs; the classes become shares, (B, K).

    Args:
        inner: says what is mixed.
        class_counts: n, (K,).
        alpha: α.
        kappa: κ; infinite for mixup.
        tau: τ.
    """

    def __init__(
        self, inner: Stream, class_counts: Tensor, alpha: float, kappa: float = math.inf, tau: float = 0.5
    ) -> None:
        super().__init__(inner)
        self.counts, self.alpha, self.kappa, self.tau = class_counts, alpha, kappa, tau

    def take(self, index: Tensor, generator: torch.Generator) -> Batch:
        batch = self.inner.take(index, generator)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        share = float(np.random.default_rng(seed).beta(self.alpha, self.alpha))
        other = torch.randperm(len(batch.y), generator=generator)
        y, z = (F.one_hot(each, len(self.counts)).to(batch.x.dtype) for each in (batch.y, batch.y[other]))
        own = self.own(batch.y, batch.y[other], share)[:, None].to(batch.x)
        return batch._replace(x=share * batch.x + (1 - share) * batch.x[other], y=own * y + (1 - own) * z)

    def own(self, first: Tensor, second: Tensor, share: float) -> Tensor:
        """The shares of the first classes, (B,), for classes (B,) and λ."""
        counts = self.counts.to(first.device).double()
        ratio = counts[first] / counts[second]
        own = torch.full_like(ratio, share)
        if share < self.tau:
            own[ratio >= self.kappa] = 0.0
        if 1 - share < self.tau:
            own[ratio <= 1 / self.kappa] = 1.0
        return own


def _mixed(stream: Stream, training: Training) -> Stream:
    return Mixed(stream, training.class_counts, training.hyper["mixup_alpha"])


def _remixed(stream: Stream, training: Training) -> Stream:
    hyper = training.hyper
    return Mixed(stream, training.class_counts, hyper["remix_alpha"], hyper["remix_kappa"], hyper["remix_tau"])


def _takes_mixtures(loss: Loss, training: Training) -> Loss:
    if not loss.takes_shares:
        raise InputError(f"mixtures of classes are for members of the family without terms, such as la, not for "
                         f"{type(loss).__name__}")  # fmt: skip
    if loss.num_groups:
        raise InputError("samples of different groups are mixed, and the loss has a column a group: take one without")
    return loss


def _check(method: str, training: Training, model: nn.Module) -> None:
    if not (x := training.samples.first()).is_floating_point():
        raise InputError(f"{method} mixes inputs that are measures; these are numbers of something ({x.dtype})")


ALPHA = Range(0.1, 2.0, "log")

register_step(
    Step(
        "+mixup",
        "samples and their classes mixed in pairs",
        {"mixup_alpha": 1.0},
        {"mixup_alpha": ALPHA},
        check=_check,
        loss=_takes_mixtures,
        stream=_mixed,
        outside=4,
    )
)
register_step(
    Step(
        "+remix",
        "the same, the label to the rarer class",
        {"remix_alpha": 1.0, "remix_kappa": 3.0, "remix_tau": 0.5},
        {"remix_alpha": ALPHA, "remix_kappa": Range(1.5, 10.0, "log"), "remix_tau": Range(0.1, 1.0)},
        check=_check,
        loss=_takes_mixtures,
        stream=_remixed,
        outside=4,
    )
)
