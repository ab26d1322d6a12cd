"""Single numbers that are searched: their ranges, both ends included, and the derivatives there."""

import math

import pytest
import torch

from autobalance.bilevel.space._numbers import NUMBERS, Number


@pytest.mark.parametrize("start", [0.0, 0.3, 1.0])
def test_both_ends_are_reached_exactly_and_can_be_left(start):
    number = Number(0.25, 0.0, 1.0)
    low, high = number.bounds([start])
    for raw, end in ((low, 0.0), (high, 1.0)):
        for dtype in (torch.float32, torch.float64):
            a = torch.tensor(raw, dtype=dtype, requires_grad=True)
            value = number.at(torch.tensor(start, dtype=dtype), a)
            assert value == end and torch.autograd.grad(value, a)[0] == 0.25


def test_a_stage_that_is_beyond_its_end_stays_there_while_another_moves():
    number = Number(0.5, 0.0, 1.0)
    assert number.bounds([0.0, 1.0]) == (-2.0, 2.0)
    a = torch.tensor(-0.6, requires_grad=True)
    early, late = number.at(torch.tensor(0.0), a), number.at(torch.tensor(1.0), a)
    assert early == 0 and late.item() == pytest.approx(0.7)
    assert torch.autograd.grad(early, a)[0] == 0 and torch.autograd.grad(late, a)[0] == 0.5


def test_a_factor():
    number = NUMBERS["scale"]
    low, high = number.bounds([30.0])
    at = torch.tensor(30.0, dtype=torch.float64)
    for raw, end in ((low, number.low), (high, number.high), (0.0, 30.0), (1.0, 30 * math.exp(number.unit))):
        assert number.at(at, torch.tensor(raw, dtype=torch.float64)).item() == pytest.approx(end)


def test_it_is_differentiated_twice():
    number = NUMBERS["gamma"]

    def value(a):
        return number.at(torch.tensor(1.0, dtype=torch.float64), a) ** 2

    a = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, a) and torch.autograd.gradgradcheck(value, a)
