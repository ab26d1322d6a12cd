"""Optimisers take torch's own steps, and replay differentiates through each of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, Case, assert_exact, differentiate, finite_differences, mlp, worst
from torch import nn

from autobalance.hypergradients import SGD, Adam, Clipped, Groups, OneStep, Replay, Unrolled, optimiser_from_torch

TORCH = {
    "sgd-dampened": (torch.optim.SGD, {"lr": 0.4, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    "adam": (torch.optim.Adam, {"lr": 0.05}),
    "adam-decay": (torch.optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": (torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.3}),
}


def torch_case(kind: type, options: dict, model: str = "mlp-bn") -> Case:
    """A case whose optimiser is taken over from torch's."""

    def of_torch(m: nn.Module) -> torch.optim.Optimizer:
        return kind(m.parameters(), **options)

    return Case(MODELS[model], optimiser_from_torch(of_torch(MODELS[model]()), MODELS[model]()), of_torch)


@pytest.mark.parametrize("name", TORCH)
def test_replay_is_exact_through_each_optimiser(name):
    assert_exact(torch_case(*TORCH[name]), Replay)


def test_unrolled_differentiates_through_dampening():
    assert_exact(torch_case(*TORCH["sgd-dampened"]), Unrolled)


class PlainLoop(torch.optim.Optimizer):
    """Steps that torch does not offer, written without lists: the oracle of their options."""

    def __init__(self, model: nn.Module, change: Callable[[torch.Tensor, dict], torch.Tensor]) -> None:
        super().__init__(model.parameters(), {})
        self.change = change

    @torch.no_grad()
    def step(self) -> None:
        for p in self.param_groups[0]["params"]:
            p -= self.change(p, self.state[p])


def test_replay_is_exact_through_adam_without_bias_correction():
    def change(p: torch.Tensor, memory: dict) -> torch.Tensor:
        memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * p.grad
        memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * p.grad**2
        return 0.05 * memory["m"] / (memory["v"].sqrt() + 1e-8)

    optimiser = Adam(0.05, (0.9, 0.99), bias_correction=False)
    assert_exact(Case(mlp, optimiser, lambda model: PlainLoop(model, change)), Replay)


def test_replay_is_exact_through_sgd_with_decoupled_decay():
    def change(p: torch.Tensor, memory: dict) -> torch.Tensor:
        memory["v"] = 0.9 * memory.get("v", 0) + p.grad
        return 0.3 * (memory["v"] + 0.2 * p)

    optimiser = SGD(0.3, momentum=0.9, weight_decay=0.2, decoupled=True)
    assert_exact(Case(mlp, optimiser, lambda model: PlainLoop(model, change)), Replay)


class ClippedTorch(torch.optim.SGD):
    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 0.1)
        super().step()


def test_replay_is_exact_through_clipped_gradients():
    def of_torch(model: nn.Module) -> torch.optim.Optimizer:
        return ClippedTorch(model.parameters(), 0.5, momentum=0.9)

    clipped = Case(mlp, Clipped(SGD(0.5, momentum=0.9), 0.1), of_torch)
    assert_exact(clipped, Replay)
    unclipped = Case(mlp, SGD(0.5, momentum=0.9), of_torch)
    assert worst(differentiate(Replay(3), unclipped)[1].gradient, finite_differences(clipped)) > 0.01


def two_groups(model: nn.Module) -> torch.optim.Optimizer:
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    last = {"params": biases, "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    return torch.optim.SGD([{"params": weights}, last], 0.4, momentum=0.9, weight_decay=0.1)


def test_replay_is_exact_with_options_by_parameter_group():
    model = mlp()
    case = Case(mlp, optimiser_from_torch(two_groups(model), model), two_groups)
    assert isinstance(case.optimiser, Groups)
    assert_exact(case, Replay)


def test_a_parameter_in_no_group_or_in_two_is_refused():
    sgd = SGD()
    with pytest.raises(ValueError, match="'b' is in 0 groups"):
        Groups(((frozenset("a"), sgd),)).init({"a": torch.zeros(1), "b": torch.zeros(1)})
    with pytest.raises(ValueError, match="'a' is in 2 groups"):
        Groups(((frozenset("a"), sgd), (frozenset("a"), sgd))).init({"a": torch.zeros(1)})
    with pytest.raises(ValueError, match="'c' is not trained"):
        Groups(((frozenset("ac"), sgd),)).init({"a": torch.zeros(1)})


RECIPE_PARAMETERS = {"log_lr": torch.tensor(0.2).double(), "log_weight_decay": torch.tensor(-0.3).double()}


@pytest.mark.parametrize("name", ["sgd-dampened", "adam-decay", "adamw"])
def test_replay_is_exact_in_learning_rate_and_weight_decay(name):
    assert_exact(replace(torch_case(*TORCH[name]), recipe_parameters=RECIPE_PARAMETERS), Replay)


def test_replay_is_exact_in_recipe_parameters_with_a_schedule():
    def falling(step: int) -> float:
        return 0.5 / (1 + step)

    case = torch_case(torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, "mlp")
    optimiser = replace(case.optimiser, lr=falling)
    assert_exact(replace(case, recipe_parameters=RECIPE_PARAMETERS, optimiser=optimiser, schedule=falling), Replay)


def test_replay_is_exact_in_recipe_parameters_by_parameter_group():
    model = mlp()
    searched = {"log_lr": torch.tensor([0.2, -0.1]).double(), "log_weight_decay": torch.tensor(0.4).double()}
    case = Case(mlp, optimiser_from_torch(two_groups(model), model), two_groups, recipe_parameters=searched)
    assert_exact(case, Replay)


def test_unrolled_refuses_recipe_parameters():
    with pytest.raises(ValueError, match="unrolled does not work with `lr` being searched"):
        differentiate(Unrolled(3), Case(mlp, SGD(weight_decay=0.1), recipe_parameters=RECIPE_PARAMETERS))


def dead_unit() -> nn.Module:
    """A network with one hidden unit that is never active, so that its weights' gradients are exactly zero."""
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    with torch.no_grad():
        model[0].bias[2] = -100.0
    return model


def test_weights_whose_gradient_is_exactly_zero_keep_adam_exact():
    case = Case(dead_unit, Adam(0.05), lambda model: torch.optim.Adam(model.parameters(), 0.05))
    state, found = differentiate(Replay(3), case)
    assert all(g.isfinite().all() for g in found.gradient.values())
    assert (state.optimiser["square"]["0.weight"][2] == 0).all()
    assert worst(found.gradient, finite_differences(case)) < 1e-6


@pytest.mark.parametrize(
    "optimiser", [Adam(), SGD(weight_decay=0.1, decoupled=True), Clipped(SGD(), 1.0)], ids=["adam", "sgdw", "clipped"]
)
def test_unrolled_refuses_what_it_would_get_wrong(optimiser):
    with pytest.raises(ValueError, match="use `hypergradient` replay"):
        differentiate(Unrolled(3), Case(mlp, optimiser))


def from_torch(kind: type, **options: object) -> object:
    model = nn.Linear(2, 2)
    return optimiser_from_torch(kind(model.parameters(), lr=0.1, **options), model)


def test_optimisers_of_torch_are_taken_over_with_their_options():
    options = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "foreach": True}
    assert from_torch(torch.optim.SGD, **options) == SGD(0.1, 0.9, True, 0.01)
    assert from_torch(torch.optim.Adam, betas=(0.8, 0.9), eps=1e-4) == Adam(0.1, (0.8, 0.9), 1e-4)
    assert from_torch(torch.optim.AdamW, weight_decay=0.2) == Adam(0.1, weight_decay=0.2, decoupled=True)
    assert from_torch(torch.optim.AdamW, weight_decay=0) == Adam(0.1)


def test_options_of_torch_that_are_not_honoured_are_refused():
    with pytest.raises(ValueError, match="maximize=True"):
        from_torch(torch.optim.SGD, maximize=True)
    with pytest.raises(ValueError, match="amsgrad=True"):
        from_torch(torch.optim.Adam, amsgrad=True)
    with pytest.raises(ValueError, match="Adagrad"):
        from_torch(torch.optim.Adagrad)
    model = nn.Linear(2, 2)
    scheduled = torch.optim.SGD(model.parameters(), 0.1)
    torch.optim.lr_scheduler.StepLR(scheduled, 10)
    with pytest.raises(ValueError, match="scheduler"):
        optimiser_from_torch(scheduled, model)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: SGD(nesterov=True), "nesterov"),
        (lambda: SGD(momentum=0.9, nesterov=True, dampening=0.1), "nesterov"),
        (lambda: SGD(dampening=0.1), "dampening"),
        (lambda: SGD(decoupled=True), "decoupled"),
        (lambda: Adam(decoupled=True), "decoupled"),
    ],
)
def test_options_that_cannot_have_an_effect_are_refused(make, fault):
    with pytest.raises(ValueError, match=fault):
        make()


def test_frozen_parameters_stay_and_the_rest_is_exact():
    def frozen() -> nn.Module:
        model = mlp()
        model[0].requires_grad_(False)
        return model

    def of_torch(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)

    case = Case(frozen, SGD(0.5), of_torch)
    assert_exact(case, Replay)
    one, replay = (differentiate(engine, replace(case, steps=1))[1] for engine in (OneStep(), Replay(1)))
    assert worst(one.gradient, replay.gradient) < 1e-9
    with pytest.raises(ValueError, match="frozen"):
        differentiate(Unrolled(3), case)
