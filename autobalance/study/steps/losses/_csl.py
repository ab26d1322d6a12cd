"""The dynamic cost-sensitive term of CSL, added to any loss; and as its released code computes it."""

from __future__ import annotations

from autobalance.losses import Loss, ReleasedCSL, with_csl
from autobalance.losses.named import named_loss
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step

_HYPER = {"strength": 1.0, "reward": 2.0}


def _as_in_the_paper(loss: Loss, training: Training) -> Loss:
    return with_csl(loss, csl=training.hyper["strength"], csl_reward=training.hyper["reward"])


def _as_released(loss: Loss, training: Training) -> Loss:
    return ReleasedCSL(loss, training.hyper["reward"], training.hyper["strength"])


# The term is added to the loss of each stage, so it goes around those.
for name, title, around in (
    ("+csl", "the cost-sensitive term of CSL", _as_in_the_paper),
    ("+csl-released", "the same as its released code computes it", _as_released),
):
    register_step(Step(name, title, _HYPER, named_loss("csl").ranges, loss=around, outside=1))
