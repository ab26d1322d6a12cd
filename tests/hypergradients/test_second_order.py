"""Layers without a forward derivative, parameters that the loss does not reach, parts that do not move."""

import warnings

import pytest
import torch
from hypergradient_cases import MODELS, Case, K, assert_exact, differences, differentiate, worst
from torch import nn

from autobalance.hypergradients import SGD, Implicit, OneStep, Replay, Unrolled, inner_step
from autobalance.hypergradients._second_order import ForwardModeWarning, _by_forward_mode, _by_reverse_mode


class Cube(torch.autograd.Function):
    """x³ with second derivatives in reverse mode only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


class Cubic(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


class Idle(nn.Module):
    """A model with a weight and a layer that its output does not depend on."""

    def __init__(self):
        super().__init__()
        self.used, self.idle, self.alone = nn.Linear(4, K), nn.Linear(4, K), nn.Parameter(torch.ones(2))
        self.double()

    def forward(self, x):
        self.idle(x)
        return self.used(x)


def with_cube():
    return nn.Sequential(nn.Linear(4, 6), Cubic(), nn.Linear(6, K)).double()


def frozen_weights():
    """Biases move and weights do not, and behind the first layer the other way round."""
    model = nn.Sequential(*MODELS["conv-bn"]().children(), nn.Tanh(), nn.Linear(K, K).double())
    model[1].weight.requires_grad_(False)
    model[2].bias.requires_grad_(False)
    model[-1].bias.requires_grad_(False)
    return model


SGD_OPTIONS = {"lr": 0.3, "momentum": 0.9, "weight_decay": 0.1}


def case_of(make_model, steps=3):
    return Case(make_model, SGD(**SGD_OPTIONS), lambda m: torch.optim.SGD(m.parameters(), **SGD_OPTIONS), steps=steps)


def test_a_layer_without_forward_derivative_takes_the_longer_way_and_says_so():
    with pytest.warns(ForwardModeWarning, match="no forward derivative"):
        assert_exact(case_of(with_cube), Replay)


@pytest.mark.parametrize("of_weights", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_both_ways_are_equal(model, of_weights):
    case = Case(MODELS[model])
    inner, (batches, _) = case.inner(), case.batches()
    state = inner.init()
    generator = torch.Generator().manual_seed(9)
    along = {n: torch.randn(p.shape, generator=generator, dtype=p.dtype) for n, p in state.parameters.items()}
    found = []
    for way in (_by_forward_mode, _by_reverse_mode):
        torch.manual_seed(3)
        values = way(inner, state, case.hyper(), batches[0], along, of_weights)
        found.append(dict(enumerate(values)))
    assert len(found[0]) == 3 + (len(along) if of_weights else 0)
    assert differences(*found) < 1e-12  # values of about one; some are zero


@pytest.mark.parametrize("engine", [Replay, Unrolled])
def test_weights_that_the_loss_does_not_reach_have_gradient_zero(engine):
    case = Case(Idle, SGD(0.5), lambda m: torch.optim.SGD(m.parameters(), 0.5))
    if engine is Replay:
        assert_exact(case, engine)
    model = case.model()
    state, _ = inner_step(case.inner(), case.inner().init(), case.hyper(), case.batches()[0][0])
    assert torch.equal(state.parameters["alone"], model.alone)
    assert not torch.equal(state.parameters["used.weight"], model.used.weight)


def test_weights_that_the_loss_does_not_reach_decay():
    case = Case(Idle, SGD(0.5, weight_decay=0.1))
    state, _ = differentiate(Replay(3), case)
    assert torch.allclose(state.parameters["alone"], torch.full((2,), 0.95**3, dtype=torch.float64), rtol=1e-12)
    _, found = differentiate(Implicit(3), case)
    assert all(torch.isfinite(value).all() for value in found.gradient.values())


@pytest.mark.parametrize("make_model", [Idle, frozen_weights])
def test_one_step_where_parts_do_not_move(make_model):
    case = case_of(make_model, steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ForwardModeWarning)
        expected, found = (differentiate(engine, case)[1] for engine in (Replay(1), OneStep()))
    assert worst(found.gradient, expected.gradient) < 1e-9
