"""A model that cannot be trained is said before anything takes time."""

import random

import pytest
import torch
from torch import nn
from toy import gaussians, linear, with_dropout

from autobalance.bilevel import SearchPlan, check, search_loss
from autobalance.common import InputError
from autobalance.data import Problem
from autobalance.study import named_method
from autobalance.tasks import task_of
from autobalance.training import Recipe, setting_of_model

SETS = gaussians([20, 9, 6], 0), gaussians([8, 5, 4], 1)


class Elsewhere(nn.Module):
    """Draws from Python's generator."""

    def __init__(self):
        super().__init__()
        self.layer = linear(3)

    def forward(self, x):
        return self.layer(x) * random.random()


def spoilt():
    model = with_dropout(3)
    with torch.no_grad():
        model[3].weight[1, 2] = torch.nan
    return model


BAD = [
    (spoilt, "the model's 3.weight holds numbers that are not finite before any training"),
    (lambda: linear(3).requires_grad_(False), r"all 2 parameters are frozen \(requires_grad is False\)"),
    (Elsewhere, "differently after the same torch.manual_seed"),
]


@pytest.mark.parametrize("make, words", BAD, ids=["nan", "frozen", "random"])
def test_it_is_said_before_the_first_step(make, words):
    seen = []
    with pytest.raises(InputError, match=words):
        search_loss(make(), *SETS, on_epoch=seen.append)
    setting = setting_of_model(Problem("toy", *SETS, SETS[1], class_names=("a", "b", "c")), make())
    with pytest.raises(InputError, match=words):
        named_method("ce").check(setting, Recipe())
    assert not seen


def test_dropout_is_drawn_by_torch():
    setting = setting_of_model(Problem("toy", *SETS, SETS[1], class_names=("a", "b", "c")), with_dropout(3))
    check(SearchPlan(), setting, task_of(setting.problem))
