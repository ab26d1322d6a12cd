"""What engines say that they can, against what is asked of them."""

from dataclasses import replace

import pytest
import torch
from hypergradient_cases import Case, mlp
from torch import nn

from autobalance.common import InputError
from autobalance.hypergradients import (
    ENGINES,
    SGD,
    Adam,
    Clipped,
    Groups,
    Head,
    Needs,
    Replay,
    check_engine,
    folds,
    make_engine,
)
from autobalance.models import FDS

DECAY = SGD(weight_decay=0.1)
#: Which engines work with each need alone.
WORKS = {
    Needs(): {"replay", "unrolled", "one-step", "implicit", "head"},
    Needs(DECAY): {"replay", "unrolled", "one-step", "implicit", "head"},
    Needs(recipe_parameters=("lr",)): {"replay", "one-step"},
    Needs(recipe_parameters=("weight_decay",)): {"replay", "one-step", "implicit", "head"},
    Needs(transform=True): {"replay", "unrolled", "implicit"},
    Needs(feature_smoothing=True): {"replay"},
    Needs(folds=True): {"replay", "one-step", "implicit"},
    Needs(frozen_parameters=True): {"replay", "one-step", "implicit", "head"},
    Needs(precision=True): {"replay", "implicit", "head"},
    Needs(compiled=True): {"replay", "implicit", "head"},
    Needs(processes=True): {"replay"},
    Needs(SGD()): {"replay", "unrolled", "one-step", "implicit"},
    Needs(SGD(weight_decay=0.1, decoupled=True)): {"replay", "one-step", "implicit", "head"},
    Needs(Adam(weight_decay=0.1)): {"replay", "one-step", "implicit", "head"},
    Needs(Adam(weight_decay=0.1, decoupled=True)): {"replay", "one-step"},
    Needs(Clipped(DECAY, 1.0)): {"replay", "one-step"},
    Needs(Groups(((frozenset("a"), DECAY),))): {"replay", "one-step", "implicit"},
}


@pytest.mark.parametrize("needs", WORKS, ids=str)
def test_each_need_is_refused_by_the_engines_that_cannot_and_by_no_other(needs):
    for name in ENGINES:
        if name in WORKS[needs]:
            check_engine(make_engine(name), needs)
            continue
        with pytest.raises(InputError, match=f"`hypergradient` {name} does not work with .*: use .* replay"):
            check_engine(make_engine(name), needs)


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Needs(folds=True, compiled=True), "`folds` cannot be had with `compiled` steps: leave one of the two out"),
        (Needs(folds=True, processes=True), "`folds` cannot be had with several processes"),
        (Needs(feature_smoothing=True, folds=True), "smoothing .* cannot be had with `folds`"),
        (Needs(feature_smoothing=True, compiled=True), "smoothing .* cannot be had with `compiled` steps"),
        (Needs(feature_smoothing=True, processes=True), "smoothing .* cannot be had with several processes"),
        (Needs(SGD(), ("weight_decay",)), "'weight_decay' cannot be searched: of the recipe only lr and weight_decay"),
        (Needs(recipe_parameters=("momentum",)), "'momentum' cannot be searched"),
    ],
)
def test_what_no_engine_can_is_refused_for_all(needs, words):
    with pytest.raises(InputError, match=words):
        check_engine(Replay(), needs)


def test_what_only_another_combination_could_do_is_said():
    everything = replace(Needs(), recipe_parameters=("momentum",))
    with pytest.raises(InputError, match="momentum"):
        check_engine(Head(), everything)


class Undeclared:
    steps = 1


def test_an_engine_that_declares_nothing_is_good_for_the_loss_alone():
    check_engine(Undeclared(), Needs(Clipped(SGD(), 1.0)))
    with pytest.raises(InputError, match="`hypergradient` Undeclared does not work with `folds`"):
        check_engine(Undeclared(), Needs(folds=True))


def test_needs_are_read_off_an_inner_problem():
    case = Case(mlp, DECAY, recipe_parameters={"log_weight_decay": torch.tensor(0.1)})
    inner, hyper = case.inner(), case.hyper()
    assert Needs.of(inner, hyper) == Needs(DECAY, ("weight_decay",))
    assert Needs.of(replace(inner, transform=lambda hyper, batch: batch), {}) == Needs(DECAY, transform=True)
    assert Needs.of(replace(inner, precision=torch.bfloat16), {}) == Needs(DECAY, precision=True)
    assert Needs.of(replace(inner, forward=lambda *_: None), {}) == Needs(DECAY, compiled=True)
    assert Needs.of(folds(inner, [case.model(), case.model()]), {}) == Needs(DECAY, folds=True)
    smoothed = nn.Sequential(nn.Linear(4, 2), FDS(2, 3, ks=3))
    assert Needs.of(replace(inner, model=smoothed), {}) == Needs(DECAY, feature_smoothing=True)
    smoothed.requires_grad_(False)
    assert Needs.of(replace(inner, model=smoothed), {}).frozen_parameters
