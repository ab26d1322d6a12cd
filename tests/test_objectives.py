"""Validation objectives against plain loops and finite differences."""

import math

import pytest
import torch
import torch.nn.functional as F

from autobalance.data import Batch
from autobalance.errors import InputError
from autobalance.objectives import NAMES, balanced_weights, make_objective

Y = torch.tensor([0, 0, 0, 0, 2, 2, 3])  # class 1 is absent


def logits(seed=0):
    return torch.randn(len(Y), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(y=Y):
    return Batch(torch.zeros(len(y), 1), y)


def cross_entropy(z, y):
    return [math.log(sum(math.exp(v) for v in row)) - row[k] for row, k in zip(z.tolist(), y.tolist(), strict=True)]


def test_balanced_error_is_the_mean_over_the_classes_of_their_mean_cross_entropy():
    z = logits()
    losses = cross_entropy(z, Y)
    means = [sum(losses[:4]) / 4, sum(losses[4:6]) / 2, losses[6]]
    assert make_objective("balanced_error")(z, batch()).item() == pytest.approx(sum(means) / 3, rel=1e-13)


def test_error_is_the_mean_over_the_samples():
    z = logits()
    assert make_objective("error")(z, batch()).item() == pytest.approx(sum(cross_entropy(z, Y)) / len(Y), rel=1e-13)


def test_balanced_weights_sum_to_one_and_give_every_class_the_same():
    weights = balanced_weights(Y, 4, logits())
    assert weights.dtype == torch.float64
    assert weights.tolist() == pytest.approx([1 / 12] * 4 + [1 / 6] * 2 + [1 / 3])


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_are_those_of_finite_differences(name):
    objective, z = make_objective(name), logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda value: objective(value, batch()), z)
    assert torch.autograd.gradgradcheck(lambda value: objective(value, batch()), z)


def test_a_function_of_ones_own_is_handed_through():
    def own(z, given):
        return F.cross_entropy(z, given.y, reduction="sum")

    assert make_objective(own) is own


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="no objective is called 'accuracy'; there are balanced_error, error"):
        make_objective("accuracy")
