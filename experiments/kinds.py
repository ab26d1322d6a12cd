"""What is different for problems of one kind: classes, groups or numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autobalance.study import Changes, Method, named_method
from experiments.development import classifications, grouped, regressions
from experiments.suite._plan import Entry

#: How often a judging sample counts at the least; the larger, the closer are the classes' shares to training's.
LEAST = 3


@dataclass(frozen=True)
class Kind:
    """What is different for problems of one kind.

    Args:
        problems: those of a plan.
        objectives: what is made small.
        plain: the fixed loss that searches start from.
        losses: fixed losses by name.
        decays: factors on the recipe's weight decay that each is tried with.
        shares: positions of the judging samples (targets) so often that they are as in training (targets).
    """

    problems: Callable[[argparse.Namespace], list[Entry]]
    objectives: tuple[str, ...]
    plain: str
    losses: Mapping[str, Method]
    decays: tuple[int, ...]
    shares: Callable[[Tensor, Tensor], Tensor]

    @property
    def start(self) -> str:
        """The plain loss among those of `fixed`."""
        return f"{self.plain}, decay × 1"

    def fixed(self, decay: float) -> dict[str, Method]:
        """Every loss with every weight decay, for the recipe's weight decay."""
        return {
            f"{name}, decay × {factor}": replace(method, recipe=Changes({"weight_decay": factor * decay}))
            for name, method in self.losses.items()
            for factor in self.decays
        }


def as_in_training(judging: Tensor, training: Tensor) -> Tensor:
    """Positions of the judging samples, each class so often that its share is that in training."""
    counts = training.bincount().double()
    often = counts / judging.bincount(minlength=len(counts)).clamp_min(1)
    repeats = (often / often.min() * LEAST).round().long()
    return torch.arange(len(judging)).repeat_interleave(repeats[judging])


def as_they_are(judging: Tensor, training: Tensor) -> Tensor:
    """Positions of the judging samples, each once."""
    return torch.arange(len(judging))


#: Sixteen for classes.
OF_CLASSES = {
    **{name: named_method(name) for name in ("ce", "focal", "weighted")},
    "la": named_method("la"),
    **{f"la, τ {tau}": named_method("la").at({"tau": tau}) for tau in (0.5, 0.75, 1.25, 1.5)},
    **{f"cdt, γ {gamma}": named_method("cdt").at({"gamma": gamma}) for gamma in (0.15, 0.3)},
    **{
        f"vs, γ {gamma}, τ {tau}": named_method("vs").at({"gamma": gamma, "tau": tau})
        for gamma in (0.15, 0.3)
        for tau in (0.75, 1, 1.25)
    },
}
OF_NUMBERS = {
    name: named_method(name, "regression")
    for name in ("sqinv", "l1", "inv", "lds", "mse", "huber", "focal-r", "balanced-mse")
}
OF_GROUPS = {
    **{name: named_method(name) for name in ("group-la", "group-weighted", "group-vs", "la", "weighted", "ce")},
    **{f"group-la, τ {tau}": named_method("group-la").at({"tau": tau}) for tau in (0.5, 1.5, 2)},
}

KINDS: Mapping[str, Kind] = {
    "classes": Kind(
        classifications, ("worst_class", "macro_f1", "balanced_error"), "la", OF_CLASSES, (1, 8), as_in_training
    ),
    "numbers": Kind(
        regressions, ("balanced_mae", "worst_bin", "few_shot_mae", "gm"), "sqinv", OF_NUMBERS, (1, 8, 64), as_they_are
    ),
    "groups": Kind(
        grouped,
        ("worst_group", "group_balanced_error", "balanced_error + deo"),
        "group-la",
        OF_GROUPS,
        (1, 8, 64),
        as_they_are,
    ),
}
