"""Hypergradients are exact through whole trainings by each optimiser, schedule and clipping that a recipe can have."""

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
    finite_differences,
    tensors,
    worst,
)
from torch import nn

from autobalance.hypergradients import OneStep, Replay, Unrolled, inner_step
from autobalance.training import Recipe

LR, EPOCHS = 0.05, 6
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "plain sgd": (torch.optim.SGD, {"momentum": 0.0, "weight_decay": 0.1}),
    "adam": (torch.optim.Adam, {"weight_decay": 0.1}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.1}),
}
SCHEDULES = {"cosine": {}, "steps": {"milestones": (0.5, 5), "lr_decay": 0.3}}
CLIPS = {"unclipped": None, "clipped": 0.2}
RECIPE_PARAMETERS = {"log_lr": torch.tensor(0.2).double(), "log_weight_decay": torch.tensor(-0.3).double()}


def rate(schedule: str, step: int) -> float:
    """The learning rate at a step, of which there is one an epoch: one to warm up, then down."""
    if schedule == "steps":
        return LR * [1, 1, 1, 0.3, 0.3, 0.09][step]
    return LR * [1, 1, *[(1 + math.cos(math.pi * share / 5)) / 2 for share in range(1, 5)]][step]


class Clipping:
    """torch's optimiser behind torch's own clipping."""

    def __init__(self, optimiser: torch.optim.Optimizer, largest: float) -> None:
        self.optimiser, self.largest, self.param_groups = optimiser, largest, optimiser.param_groups

    def zero_grad(self) -> None:
        self.optimiser.zero_grad()

    def step(self) -> None:
        nn.utils.clip_grad_norm_(self.param_groups[0]["params"], self.largest)
        self.optimiser.step()


def case(name: str, schedule: str, clip: str, steps: int = EPOCHS) -> Case:
    kind, options = OPTIMIZERS[name]
    recipe = Recipe(
        epochs=EPOCHS, batch_size=8, lr=LR, warmup_epochs=1, schedule=schedule, clip=CLIPS[clip],
        optimizer=name.removeprefix("plain "), **{k: v for k, v in options.items() if k != "nesterov"},
        **SCHEDULES[schedule],
    )  # fmt: skip

    def of_torch(model: nn.Module) -> torch.optim.Optimizer | Clipping:
        optimiser = kind(model.parameters(), LR, **options)
        return optimiser if CLIPS[clip] is None else Clipping(optimiser, CLIPS[clip])

    return Case(
        MODELS["mlp-bn"], recipe.optimiser(8), of_torch, lambda step: rate(schedule, step), steps, RECIPE_PARAMETERS
    )


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replay_is_exact_through_a_whole_training(name, schedule, clip):
    assert_exact(case(name, schedule, clip), Replay)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["sgd", "plain sgd"])
def test_unrolled_is_exact_where_it_does_not_refuse(name, schedule):
    assert_exact(replace(case(name, schedule, "unclipped"), recipe_parameters={}), Unrolled)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_step_is_replay_of_one_step_in_the_middle_of_a_training(name, clip):
    problem = case(name, "cosine", clip, steps=4)
    inner, (batches, outer), hyper = problem.inner(), problem.batches(), problem.hyper()
    state = inner.init()
    for batch in batches[:3]:
        state, _ = inner_step(inner, state, hyper, batch)
    (one_state, one), (replay_state, replay) = (
        engine(inner, state, hyper, batches[3:], outer) for engine in (OneStep(), Replay(1))
    )
    assert worst(one.gradient, replay.gradient) < 1e-9
    assert differences(tensors(one_state), tensors(replay_state)) < 1e-13


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_bound_on_the_norm_takes_hold_in_these_tests(name):
    found = differentiate(Replay(EPOCHS), case(name, "cosine", "unclipped"))[1].gradient
    assert worst(found, finite_differences(case(name, "cosine", "clipped"))) > 0.01
