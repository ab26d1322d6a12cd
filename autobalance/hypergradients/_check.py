"""What a search asks of an engine, and the one place where that is compared with what the engine says that it can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.hypergradients._engine import ENGINES, Abilities, Engine, engine_name
from autobalance.hypergradients._folds import Stacked
from autobalance.hypergradients._inner import Inner
from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS, Optimiser
from autobalance.hypergradients._parallel import processes
from autobalance.models import FDS

#: What a search may ask of an engine, by the name of the field in `Needs` and in `Abilities`, as a message words it.
ASKED: Mapping[str, str] = {
    "feature_smoothing": "feature-distribution smoothing (FDS)",
    "transform": "an augmentation that is searched",
    "folds": "`folds`",
    "frozen_parameters": "a model with frozen parameters",
    "precision": "a `precision` below float32",
    "compiled": "`compiled` steps",
    "processes": "several processes",
}
#: What does not go together, whatever the engine.
APART = (
    ("folds", "compiled"),
    ("folds", "processes"),
    ("feature_smoothing", "folds"),
    ("feature_smoothing", "compiled"),
    ("feature_smoothing", "processes"),
)
#: What an engine may require of the optimiser: flags of `OptimiserAbilities`, as a message words their absence.
REQUIRED: Mapping[str, str] = {
    "plain_sgd": "it is exact for plain SGD alone",
    "rests": "it needs training to come to rest where the gradient vanishes",
    "elementwise": "it steps the last layer alone",
    "decays": "it needs a `weight_decay` above 0, without which the optimum may lie at infinity",
}


@dataclass(frozen=True)
class Needs:
    """What a search asks of its engine; the fields are those of `Abilities`.

    Args:
        optimiser: of the training steps; None: not looked at.
    """

    optimiser: Optimiser | None = None
    recipe_parameters: tuple[str, ...] = ()
    transform: bool = False
    feature_smoothing: bool = False
    folds: bool = False
    frozen_parameters: bool = False
    precision: bool = False
    compiled: bool = False
    processes: bool = False

    @classmethod
    def of(cls, inner: Inner, hyper: Mapping[str, Tensor]) -> Needs:
        """What an inner problem with these hyper-parameters asks for, in this process or these."""
        return cls(
            optimiser=inner.optimiser,
            recipe_parameters=tuple(name for name, raw in RECIPE_PARAMETERS.items() if raw in hyper),
            transform=inner.transform is not None,
            feature_smoothing=any(isinstance(module, FDS) for module in inner.model.modules()),
            folds=isinstance(inner.model, Stacked),
            frozen_parameters=not all(p.requires_grad for p in inner.model.parameters()),
            precision=inner.precision != torch.float32,
            compiled=inner.forward is not None,
            processes=processes() > 1,
        )


def check_engine(engine: Engine, needs: Needs) -> None:
    """Refuses an engine that cannot do what a search asks of it.

    Raises:
        InputError: what it cannot do, and which engines can.
    """
    for first, second in APART:
        if getattr(needs, first) and getattr(needs, second):
            raise InputError(f"{ASKED[first]} cannot be had with {ASKED[second]}: leave one of the two out")
    known = RECIPE_PARAMETERS if needs.optimiser is None else needs.optimiser.abilities.recipe_parameters
    if unknown := [name for name in needs.recipe_parameters if name not in known]:
        names = " and ".join(RECIPE_PARAMETERS)
        raise InputError(f"{unknown[0]!r} cannot be searched: of the recipe only {names} above 0 can")
    fault = _fault(getattr(engine, "abilities", Abilities()), needs)
    if fault is not None:
        able = [name for name, kind in ENGINES.items() if _fault(kind.abilities, needs) is None]
        help = f"use `hypergradient` {' or '.join(able)}" if able else "no engine does"
        raise InputError(f"`hypergradient` {engine_name(engine)} does not work with {fault}: {help}")


def check_call(engine: Engine, inner: Inner, hyper: Mapping[str, Tensor], batches: Sequence[Batch]) -> None:
    """What every engine checks before it starts: `check_engine`, and that there is a batch for each step."""
    if len(batches) != engine.steps:
        raise InputError(f"{len(batches)} batches for {engine.steps} unrolled steps; give one batch a step")
    check_engine(engine, Needs.of(inner, hyper))


def _fault(abilities: Abilities, needs: Needs) -> str | None:
    """The first thing that is asked for and cannot be had."""
    for name in needs.recipe_parameters:
        if name not in abilities.recipe_parameters:
            return f"`{name}` being searched"
    for name, words in ASKED.items():
        if getattr(needs, name) and not getattr(abilities, name):
            return words
    if needs.optimiser is not None:
        own = needs.optimiser.abilities
        for name in abilities.requires:
            if not getattr(own, name):
                return f"{own.title}, since {REQUIRED[name]}"
    return None
