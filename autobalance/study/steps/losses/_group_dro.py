"""Group DRO around any loss (Sagawa et al. 2020): the worst cells, or without groups the worst classes, weigh most."""

from __future__ import annotations

from autobalance.losses import GroupDRO, Loss
from autobalance.losses.named import named_loss
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step


def _worst_first(loss: Loss, training: Training) -> Loss:
    eta, adjustment = training.hyper["dro_eta"], training.hyper["dro_adjustment"]
    return GroupDRO(training.counts, eta, adjustment, class_names=loss.class_names, base=loss)


_RANGES = named_loss("group-dro").ranges

register_step(
    Step(
        "+group-dro",
        "weights of cells, or of classes, that grow with their losses",
        {"dro_eta": 0.01, "dro_adjustment": 0.0},
        {"dro_eta": _RANGES["eta"], "dro_adjustment": _RANGES["adjustment"]},
        loss=_worst_first,
        outside=2,
    )
)
