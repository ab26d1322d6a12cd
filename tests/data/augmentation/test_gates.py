"""The relaxed Bernoulli variable and its limit."""

import pytest
import torch

from autobalance.data.augmentation import gates

V = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.83])
def test_the_limit_is_a_bernoulli_variable(probability):
    hard = gates(torch.full_like(V, probability), V)
    assert set(hard.tolist()) == {0.0, 1.0}
    assert hard.mean().item() == pytest.approx(probability, abs=0.01)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.83])
def test_relaxed_gates_become_the_limit(probability):
    at = torch.full_like(V, probability)
    hard = gates(at, V)
    for temperature in (0.5, 0.1):
        relaxed = gates(at, V, temperature)
        assert ((relaxed > 0.5).double() == hard).all()
    assert ((gates(at, V, 1e-6) - hard).abs() > 1e-3).double().mean() < 1e-4
    # Their mean is π in the limit: this is why the derivative in π is right there.
    errors = [abs(gates(at, V, t).mean().item() - probability) for t in (0.5, 0.05)]
    assert errors[1] < max(0.01, errors[0])


def test_derivative_of_the_mean_becomes_that_of_the_probability():
    at = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gates(at.expand(len(V)), V, 0.05).mean(), at)
    assert slope.item() == pytest.approx(1.0, abs=0.1)


def test_certain_operations_are_certain():
    v = torch.tensor([0.0, 0.3, 1 - 1e-7])
    assert gates(torch.zeros(3), v).tolist() == [0, 0, 0]
    assert gates(torch.ones(3), v[1:].repeat(2)[:3]).tolist() == [1, 1, 1]
    assert gates(torch.tensor([0.5]), torch.tensor([0.0]), 0.5).isfinite().all()
