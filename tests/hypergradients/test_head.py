"""The last layer's hypergradient against finite differences of its optimum, which another solver finds."""

from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, Case, differences, differentiate, objective, tensors, train_loss, worst
from torch import Tensor, nn

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Adam, ConjugateGradients, Groups, Head, SolverWarning, inner_step

LAST = {"mlp-bn": "3", "conv-bn": "6", "dropout": "3"}
OPTIMISER = SGD(0.3, 0.9, weight_decay=0.05)
RECIPE_PARAMETERS = {"log_weight_decay": torch.tensor(0.3).double()}


def engine(model: str, **options: object) -> Head:
    return Head(3, LAST[model], ConjugateGradients(300, 1e-13), tolerance=1e-12, **options)


def features_of(model: nn.Module, batch: Batch) -> Tensor:
    """What goes into the last layer, by running all layers but that one."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        return model[:-1](batch.x)


def optimum(x: Tensor, y: Tensor, hyper: dict[str, Tensor], start: Tensor | None = None) -> Tensor:
    """The last layer's weights and bias, flat, fitted by Newton's method with dense matrices."""
    x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    decay = 0.05 * hyper["log_weight_decay"].exp()

    def training(flat: Tensor) -> Tensor:
        return train_loss(hyper, x @ flat.view(-1, 3), Batch(x, y)) + decay / 2 * flat.square().sum()

    flat = torch.zeros(3 * x.shape[1], dtype=x.dtype) if start is None else start
    while (slope := torch.autograd.functional.jacobian(training, flat)).norm() > 1e-13:
        flat = flat - torch.linalg.solve(torch.autograd.functional.hessian(training, flat), slope)
    return flat


@pytest.mark.parametrize("optimiser", [OPTIMISER, Adam(0.05, weight_decay=0.05)], ids=["sgd", "adam"])
@pytest.mark.parametrize("model", LAST)
def test_equals_finite_differences_of_the_optimum(model, optimiser):
    case = Case(MODELS[model], optimiser, recipe_parameters=RECIPE_PARAMETERS)
    state, found = differentiate(engine(model), case)
    reached = case.model()
    state.copy_to(reached)
    batches, outer = case.batches()
    x, y = torch.cat([features_of(reached, b) for b in batches]), torch.cat([b.y for b in batches])
    outer = outer._replace(x=features_of(reached, outer))
    best = optimum(x, y, case.hyper())
    expected = {name: torch.zeros_like(value) for name, value in case.hyper().items()}
    for name, value in expected.items():
        for index in range(value.numel()):
            ends = []
            for sign in (1, -1):
                moved = case.hyper()
                moved[name].view(-1)[index] += sign * 1e-5
                flat = optimum(x, y, moved, best).view(-1, 3)
                ends.append(objective(outer.x @ flat[:-1] + flat[-1], outer).item())
            value.view(-1)[index] = (ends[0] - ends[1]) / 2e-5
    assert worst(found.gradient, expected) < 1e-6


def test_state_is_that_of_plain_steps_and_the_model_keeps_no_hook():
    case = Case(MODELS["mlp-bn"], OPTIMISER)
    inner = case.inner()
    batches, outer = case.batches()
    reached, _ = engine("mlp-bn")(inner, inner.init(), case.hyper(), batches, outer)
    state = inner.init()
    for batch in batches:
        state, _ = inner_step(inner, state, case.hyper(), batch)
    assert differences(tensors(reached), tensors(state)) == 0
    assert not any(module._forward_hooks for module in inner.model.modules())


def test_an_optimum_that_is_not_reached_is_reported():
    with pytest.warns(SolverWarning, match="not solved"):
        differentiate(engine("mlp-bn", newton=1), Case(MODELS["mlp-bn"], OPTIMISER))


@pytest.mark.parametrize(
    ("layer", "changes", "fault"),
    [
        ("2", {}, "Tanh"),
        ("0", {}, "last layer"),
        ("3", {"optimiser": SGD(0.3)}, "needs a `weight_decay` above 0"),
        ("3", {"optimiser": Groups(())}, "parameter group"),
        ("3", {"recipe_parameters": {"log_lr": torch.tensor(0.0)}}, "`lr` being searched"),
    ],
)
def test_what_it_cannot_solve_is_refused(layer, changes, fault):
    case = replace(Case(MODELS["mlp-bn"], OPTIMISER), **changes)
    inner = replace(case, optimiser=OPTIMISER).inner()
    batches, outer = case.batches()
    with pytest.raises(ValueError, match=fault):
        Head(3, layer)(replace(inner, optimiser=case.optimiser), inner.init(), case.hyper(), batches, outer)
