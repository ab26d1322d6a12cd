"""The rivals: each a handful of candidates that differ in hyper-parameters, of which folds choose one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from autobalance.data import Samples
from autobalance.study import Hyper, Method, named_method
from autobalance.training import Recipe
from experiments.groups._other_models import dfr, exponentiated_gradient
from experiments.suite._case import Case

#: (case, samples) -> a model for each candidate, by name; None where its training diverged.
Trainer = Callable[[Case, Samples], Mapping[str, nn.Module | None]]


@dataclass(frozen=True)
class TimesDecay:
    """A recipe with a multiple of its weight decay."""

    factor: float

    def __call__(self, recipe: Recipe, hyper: Hyper) -> Recipe:
        return replace(recipe, weight_decay=self.factor * recipe.weight_decay)


@dataclass(frozen=True)
class Losses:
    """Candidates that are trainings with a fixed loss, and steps behind it."""

    methods: Mapping[str, Method]

    def __call__(self, case: Case, samples: Samples) -> dict[str, nn.Module | None]:
        return dict(zip(self.methods, case.train([*self.methods.values()], samples), strict=True))


def losses(name: str, hyper: Sequence[Mapping[str, float]] = ({},), decays: Sequence[float] = (1, 8)) -> Losses:
    """A loss at some values of its hyper-parameters, each with some factors on the recipe's weight decay."""
    found = {}
    for values in hyper:
        for factor in decays:
            text = ", ".join([f"{key} {value}" for key, value in values.items()] + [f"decay x {factor}"])
            found[text] = replace(named_method(name).at(values), name=f"{name}, {text}", recipe=TimesDecay(factor))
    return Losses(found)


#: By name. The first candidate of each is as published.
RIVALS: Mapping[str, Trainer] = {
    "ce": losses("ce", decays=(1,)),
    "group-weighted": losses("group-weighted"),
    "group-la": losses("group-la", ({"tau": 1}, {"tau": 1.5})),
    "group-vs": losses("group-vs", decays=(1,)),
    "group-dro": losses("group-dro", decays=(1,)),
    "subsampling": losses("ce+subsample", decays=(1,)),
    "JTT": losses("ce+jtt", ({"jtt_factor": 5},), (1,)),
    "DFR": dfr,
    "exponentiated gradient": exponentiated_gradient,
}
#: The fixed losses whose outputs class offsets are found for.
OFFSET = ("ce", "group-la")


def rivals_for(case: Case) -> dict[str, Trainer]:
    """Those that there are for a case: exponentiated gradient is for two classes and for tables."""
    two = case.problem.num_classes == 2 and len(case.problem.train.shape) == 1
    return {name: train for name, train in RIVALS.items() if two or name != "exponentiated gradient"}
