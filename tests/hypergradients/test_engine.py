"""The engines by name, and one from outside the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from hypergradient_cases import Case, differentiate, mlp, worst
from toy import gaussians, linear

import autobalance
from autobalance.common import InputError
from autobalance.hypergradients import (
    ENGINES,
    Abilities,
    Hypergradient,
    Implicit,
    OneStep,
    Replay,
    engine_name,
    inner_step,
    make_engine,
    objective_value,
    register_engine,
)


@dataclass(frozen=True)
class FiniteDifferences:
    """Central differences of whole windows: an engine that needs no derivatives."""

    abilities: ClassVar[Abilities] = Abilities(recipe_parameters=("lr",), every=7)

    steps: int = 2
    epsilon: float = 1e-5

    def __call__(self, inner, state, hyper, batches, outer_batch):
        def reached(hyper: Mapping[str, torch.Tensor]):
            at, losses = state, []
            for batch in batches:
                at, loss = inner_step(inner, at, hyper, batch)
                losses.append(loss)
            with torch.no_grad():
                value = objective_value(inner, at.parameters, at.buffers, outer_batch)
            return at, float(value), float(torch.stack(losses).mean())

        gradient = {name: torch.zeros_like(value) for name, value in hyper.items()}
        for name, slopes in gradient.items():
            for place in range(slopes.numel()):
                ends = []
                for sign in (1, -1):
                    moved = {key: value.clone() for key, value in hyper.items()}
                    moved[name].view(-1)[place] += sign * self.epsilon
                    ends.append(reached(moved)[1])
                slopes.view(-1)[place] = (ends[0] - ends[1]) / (2 * self.epsilon)
        after, objective, loss = reached(hyper)
        return after, Hypergradient(gradient, objective, loss)


@pytest.fixture
def registered():
    register_engine("differences", FiniteDifferences)
    yield
    del ENGINES["differences"]


def test_an_engine_from_outside_is_found_by_its_name_and_searches(registered):
    engine = make_engine("differences", 3)
    assert engine == FiniteDifferences(3) and engine_name(engine) == "differences"
    assert worst(differentiate(engine, Case(mlp))[1].gradient, differentiate(Replay(3), Case(mlp))[1].gradient) < 1e-6

    def searched(hypergradient):
        parts = gaussians([40, 17, 6], 0), gaussians([20, 9, 6], 1)
        settings = {"recipe": autobalance.Recipe(epochs=6, batch_size=16), "outer": autobalance.OuterLoop(every=4)}
        settings |= {"strategy": "interleaved"}
        return autobalance.search_loss(linear(3), *parts, free=("l", "lr"), hypergradient=hypergradient, **settings)

    found, expected = searched(engine), searched(Replay(3))
    assert found.outer_steps == expected.outer_steps > 2
    torch.testing.assert_close(found.loss.l, expected.loss.l, rtol=1e-4, atol=1e-6)
    assert found.recipe.lr == pytest.approx(expected.recipe.lr, rel=1e-3)
    assert abs(found.recipe.lr - 0.1) > 0.003


def test_an_engine_from_outside_is_refused_for_what_it_does_not_declare(registered):
    parts = gaussians([40, 17, 6], 0), gaussians([20, 9, 6], 1)
    with pytest.raises(InputError, match="differences does not work with `weight_decay` being searched"):
        autobalance.search_loss(linear(3), *parts, free=("weight_decay",), hypergradient=FiniteDifferences())


def test_a_name_that_is_taken_and_one_that_is_not_known_are_refused(registered):
    with pytest.raises(InputError, match="'replay' already"):
        register_engine("replay", FiniteDifferences)
    with pytest.raises(InputError, match=r"no engine is called 'nothing'; there are replay, .*, differences"):
        make_engine("nothing")


@pytest.mark.parametrize("name", ["replay", "unrolled", "implicit", "head"])
def test_no_engine_looks_back_through_no_step(name):
    with pytest.raises(InputError, match="`steps` is 0; it has to be a whole number of at least 1"):
        make_engine(name, 0)


def test_engines_are_made_with_their_own_number_of_steps_or_another():
    assert (make_engine("implicit"), make_engine("replay", 3), make_engine("one-step")) == (
        Implicit(10),
        Replay(3),
        OneStep(),
    )
    with pytest.raises(InputError, match="`unroll` 4 has no effect: one-step looks back through 1 step"):
        make_engine("one-step", 4)
