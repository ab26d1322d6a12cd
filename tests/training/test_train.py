"""Plain training against a loop with torch's own optimiser."""

import math
import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn
from toy import gaussians, linear, same, with_dropout

from autobalance.common import InputError
from autobalance.losses import Loss, ParametricLoss
from autobalance.losses.named import fixed_point
from autobalance.models import FeatureModel
from autobalance.training import Recipe, WithFeatures, train

COUNTS = [40, 17, 6]
RECIPE = Recipe(epochs=5, batch_size=10, lr=0.02, warmup_epochs=2, weight_decay=1e-2)


def with_features(seed=0):
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Tanh())
    return FeatureModel(body, nn.Linear(7, 3)).double()


def plain_loop(model, samples, loss, recipe, seed):
    """As the losses' documentation has it, with torch.optim.SGD."""
    optimiser = torch.optim.SGD(
        model.parameters(), recipe.lr, recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay
    )
    order, step = torch.Generator().manual_seed(seed), 0
    per_epoch = round(len(samples) / recipe.batch_size)
    rise, total = recipe.warmup_epochs * per_epoch, recipe.epochs * per_epoch
    model.train()
    for epoch in range(recipe.epochs):
        loss.start_epoch(epoch / recipe.epochs)
        for index in torch.randperm(len(samples), generator=order).tensor_split(per_epoch):
            share = (step - rise) / (total - rise)
            rate = (step + 1) / rise if step < rise else (1 + math.cos(math.pi * share)) / 2
            optimiser.param_groups[0]["lr"] = recipe.lr * rate
            optimiser.zero_grad()
            x, y = samples.x[index], samples.y[index]
            if loss.needs_features:
                logits, features = model(x, return_features=True)
                value = loss(logits, y, features=features)
            else:
                value = loss(model(x), y)
            value.backward()
            optimiser.step()
            step += 1


@pytest.mark.parametrize("name", ("ce", "vs", "ldam-drw", "ib-focal", "csl"))
def test_it_is_the_plain_loop_with_torchs_own_optimiser(name):
    samples = gaussians(COUNTS, 0)
    trained, expected, untouched = with_features(), with_features(), with_features()
    train(trained, samples, fixed_point(name, COUNTS, dtype=torch.float64), RECIPE, seed=3)
    plain_loop(expected, samples, fixed_point(name, COUNTS, dtype=torch.float64), RECIPE, seed=3)
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[key], value, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(trained.head.weight, untouched.head.weight, atol=0.01)


def test_a_seed_gives_the_same_weights_and_another_gives_others():
    samples, found = gaussians(COUNTS, 0), []
    for seed in (1, 1, 2):
        model = with_dropout(3)
        torch.manual_seed(seed)
        train(model, samples, fixed_point("la", COUNTS, dtype=torch.float64), RECIPE, seed)
        found.append(model.state_dict())
    assert same(dict(found[0]), dict(found[1])) and not same(dict(found[0]), dict(found[2]))


def test_epochs_are_told_to_the_loss_and_to_the_caller():
    told, called = [], []

    class Told(ParametricLoss):
        def start_epoch(self, progress):
            told.append(progress)

    samples = gaussians(COUNTS, 0)
    still = Recipe(epochs=4, batch_size=100, lr=1e-300)
    train(linear(3), samples, Told(3, dtype=torch.float64), still, 0, lambda *given: called.append(given))
    assert told == [0, 0.25, 0.5, 0.75]
    expected = nn.functional.cross_entropy(linear(3)(samples.x), samples.y).item()
    assert [epoch for epoch, _ in called] == [1, 2, 3, 4]
    assert [loss for _, loss in called] == pytest.approx([expected] * 4, rel=1e-12)


def test_the_loss_is_in_training_mode_and_is_given_the_groups():
    seen = []

    class Seen(Loss):
        num_classes, reduction = 3, "mean"

        def forward(self, logits, target, group=None, features=None):
            seen.append((self.training, group, features))
            return logits.sum()

    samples = gaussians([4, 4, 4], 0)
    samples = type(samples)(samples.x, samples.y, samples.y % 2)
    train(linear(3), samples, Seen().eval(), Recipe(epochs=1, batch_size=100), 0)
    ((training, group, features),) = seen
    assert training and sorted(group.tolist()) == sorted(samples.group.tolist()) and features is None


@pytest.mark.parametrize("value", (math.nan, math.inf))
def test_a_loss_that_is_not_finite_stops_the_training_and_leaves_the_model(value):
    class Bad(ParametricLoss):
        def start_epoch(self, progress):
            self.bad = progress == 0.5

        def forward(self, logits, *args, **kwargs):
            return super().forward(logits, *args, **kwargs) + (value if self.bad else 0)

    model = linear(3)
    with pytest.raises(FloatingPointError, match=rf"is {value} in epoch 3; lower the learning rate"):
        train(model, gaussians(COUNTS, 0), Bad(3, dtype=torch.float64), Recipe(epochs=4), 0)
    assert torch.equal(model.weight, linear(3).weight)


def test_features_that_a_model_does_not_offer_are_asked_for():
    loss = fixed_point("ib", COUNTS, dtype=torch.float64)
    with pytest.raises(InputError, match=r"needs the features of Linear.*return_features=False"):
        train(linear(3), gaussians(COUNTS, 0), loss, RECIPE, 0)
    model, x = with_features().eval(), gaussians(COUNTS, 0).x
    logits, features = WithFeatures(model)(x)
    assert torch.equal(logits, model(x)) and torch.equal(features, model.features(x))


@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_compiled_steps_train_as_the_others_do():
    samples, models = gaussians([38, 16, 6], 0).to("cpu", torch.float32), []  # batches of one size: compiled once
    for compiled in (False, True):
        torch.manual_seed(0)
        models.append(nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 3)))
        train(models[-1], samples, fixed_point("la", COUNTS), replace(RECIPE, compiled=compiled), 0)
    for plain, other in zip(models[0].state_dict().values(), models[1].state_dict().values(), strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4)
