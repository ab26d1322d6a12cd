"""A training that diverged counts as a constant prediction."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy import gaussians, linear

from autobalance.data import Problem
from autobalance.training import NOT_FINITE, answers

COUNTS = [6, 20, 9]
PROBLEM = Problem("toy", gaussians(COUNTS, 0), gaussians([4, 4, 4], 1), gaussians([4, 4, 4], 2), ("a", "b", "c"))


def diverging():
    raise FloatingPointError("the training loss is nan in epoch 1; do less")


def not_finite():
    model = linear(3)
    nn.init.constant_(model.bias, torch.inf)
    return model


@pytest.mark.parametrize(
    "train, why", [(diverging, "the training loss is nan in epoch 1; do less"), (not_finite, NOT_FINITE)]
)
def test_it_answers_the_largest_class_or_the_mean(train, why):
    found = answers(train, PROBLEM, PROBLEM.train, PROBLEM.test)
    assert found.diverged == why and found.output.argmax(1).tolist() == [1] * 12
    numbers = replace(PROBLEM.train, y=PROBLEM.train.x[:, 0])
    problem = replace(PROBLEM, bin_edges=(0.0, 1.0, 2.0, 3.0))
    found = answers(train, problem, numbers, PROBLEM.test)
    assert found.output.tolist() == [numbers.y.mean().item()] * 12


def test_a_model_answers_for_itself():
    found = answers(lambda: linear(3), PROBLEM, PROBLEM.train, PROBLEM.test)
    assert found.diverged is None
    torch.testing.assert_close(found.output, linear(3)(PROBLEM.test.x).detach())
