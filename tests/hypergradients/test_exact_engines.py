"""Replay and Unrolled against finite differences of whole trainings by torch's optimisers, and against one another."""

import math
from dataclasses import replace

import pytest
import torch
from hypergradient_cases import (
    MODELS,
    Case,
    assert_exact,
    differences,
    differentiate,
    tensors,
    torch_training,
    worst,
)

from autobalance.hypergradients import SGD, Replay, Unrolled, inner_step

SGDS = {
    "plain": {"lr": 0.5},
    "momentum": {"lr": 0.3, "momentum": 0.9},
    "nesterov": {"lr": 0.3, "momentum": 0.8, "nesterov": True},
    "decay": {"lr": 0.5, "weight_decay": 0.1},
    "all": {"lr": 0.2, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
}


def cosine(step: int) -> float:
    return 0.4 * (1 + math.cos(math.pi * step / 7))


def sgd_case(name: str, options: dict, steps: int = 3) -> Case:
    return Case(MODELS[name], SGD(**options), lambda model: torch.optim.SGD(model.parameters(), **options), steps=steps)


@pytest.mark.parametrize("steps", [1, 3, 5])
@pytest.mark.parametrize("model", ["mlp", "mlp-bn", "conv", "conv-bn"])
def test_engine_equals_finite_differences(model, steps):
    assert_exact(sgd_case(model, SGDS["all"], steps), Replay, Unrolled)


@pytest.mark.parametrize("options", SGDS.values(), ids=SGDS.keys())
def test_each_option_of_sgd(options):
    assert_exact(sgd_case("mlp-bn", options), Replay, Unrolled)


def test_engines_are_exact_with_a_learning_rate_schedule():
    case = sgd_case("mlp", SGDS["all"])
    assert_exact(replace(case, optimiser=replace(case.optimiser, lr=cosine), schedule=cosine), Replay, Unrolled)


@pytest.mark.parametrize("options", SGDS.values(), ids=SGDS.keys())
@pytest.mark.parametrize("model", ["mlp-bn", "conv-bn"])
def test_replay_equals_unrolled_from_a_state_under_way(model, options):
    """Also where momentum and batch norm have a history."""
    case = sgd_case(model, options, steps=4)
    inner = case.inner()
    batches, outer = case.batches()
    state = inner.init()
    for batch in batches:
        state, _ = inner_step(inner, state, case.hyper(), batch)
    replay_state, replay = Replay(4)(inner, state, case.hyper(), batches, outer)
    unrolled_state, unrolled = Unrolled(4)(inner, state, case.hyper(), batches, outer)
    assert worst(replay.gradient, unrolled.gradient) < 1e-9
    assert differences(tensors(replay_state), tensors(unrolled_state)) < 1e-13
    assert replay.objective == pytest.approx(unrolled.objective, rel=1e-12)
    assert replay.train_loss == pytest.approx(unrolled.train_loss, rel=1e-12)
    assert replay_state.step == unrolled_state.step == 8


def test_dropout_falls_on_the_way_back_as_it_fell_forwards():
    assert_exact(sgd_case("dropout", SGDS["momentum"]), Replay)


def test_dropout_leaves_the_random_numbers_after_replay_as_plain_steps_would():
    case = sgd_case("dropout", SGDS["plain"])
    differentiate(Replay(case.steps), case)
    after_replay = torch.rand(1)
    torch_training(case, case.hyper(), case.batches()[0])
    assert torch.equal(after_replay, torch.rand(1))


@pytest.mark.parametrize("engine", [Replay(3), Unrolled(3)])
def test_caller_keeps_model_state_and_hyper_parameters(engine):
    case = sgd_case("conv-bn", SGDS["all"])
    inner, hyper = case.inner(), case.hyper()
    state, model = inner.init(), {k: v.clone() for k, v in inner.model.state_dict().items()}
    before = tensors(state)
    batches, outer = case.batches()
    engine(inner, state, hyper, batches, outer)
    assert differences(tensors(state), before) == 0
    assert differences(inner.model.state_dict(), model) == 0
    assert differences(hyper, case.hyper()) == 0
    assert all(module.training for module in inner.model.modules())
    assert all(p.grad is None for p in inner.model.parameters())


def test_state_is_that_of_plain_inner_steps():
    case = sgd_case("conv-bn", SGDS["all"])
    inner = case.inner()
    state = inner.init()
    batches, _ = case.batches()
    for batch in batches:
        state, _ = inner_step(inner, state, case.hyper(), batch)
    reached, _ = differentiate(Replay(case.steps), case)
    assert differences(tensors(reached), tensors(state)) == 0


@pytest.mark.parametrize("engine", [Replay, Unrolled])
@pytest.mark.parametrize("given", [2, 4])
def test_wrong_number_of_batches_is_refused(engine, given):
    case = Case(steps=given)
    with pytest.raises(ValueError, match=f"{given} batches for 3 unrolled steps"):
        differentiate(engine(3), case)


def test_state_writes_itself_into_a_model():
    case = sgd_case("mlp-bn", SGDS["all"])
    state, _ = differentiate(Replay(3), case)
    model = case.model()
    state.copy_to(model)
    assert differences(dict(model.named_parameters()) | dict(model.named_buffers()), tensors(state)) == 0
