"""Problems on the features of a model of one's own."""

import pytest
import torch
from torch import nn
from toy import gaussians

from autobalance.common import InputError
from autobalance.data import Problem
from autobalance.models import make_model
from autobalance.training import on_features


def problem(make):
    parts = (gaussians([20, 10, 5], seed) for seed in range(3))
    train, validation, test = (samples.to("cpu", torch.float32) for samples in parts)
    return Problem("toy", train, validation, test, ("a", "b", "c"), make)


def test_features_are_what_the_trained_model_hands_to_its_head():
    torch.manual_seed(0)
    model = make_model("mlp", problem(None).train.x.shape[1:], 3)
    found = on_features(problem(lambda: model), "cpu", batch_size=7)
    assert found.make_model is None and found.name == "toy features"
    for part in ("train", "validation", "test"):
        before, after = getattr(problem(None), part), getattr(found, part)
        torch.testing.assert_close(model.head(after.x), model.eval()(before.x).detach())
        assert torch.equal(after.y, before.y)
        assert not after.x.requires_grad


def test_a_problem_without_a_model_or_a_model_without_features_is_refused():
    with pytest.raises(InputError, match="`features_only` needs a trained model"):
        on_features(problem(None), "cpu")
    with pytest.raises(InputError, match="return_features"):
        on_features(problem(lambda: nn.Linear(2, 3)), "cpu")
