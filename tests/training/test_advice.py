"""What is advised after a training that diverged is what helps."""

from dataclasses import replace

import pytest
import torch
from toy import gaussians, linear

from autobalance.losses.named import fixed_point
from autobalance.training import Recipe, advice, train

COUNTS = [20, 9, 6]
SAMPLES = gaussians(COUNTS, 0, dtype=torch.float32)
RECIPE = Recipe(epochs=8, batch_size=8, warmup_epochs=0)


def spoilt():
    x = SAMPLES.x.clone()
    x[7, 1] = 3e38
    return replace(SAMPLES, x=x)


@pytest.mark.parametrize(
    "changes, samples, words, better",
    [
        ({"weight_decay": 1e7}, SAMPLES, r"lower the weight decay, `weight_decay`: .* 1e\+06", {"weight_decay": 1e-4}),
        ({"lr": 1e36}, SAMPLES, r"lower the learning rate, `lr`, or limit the gradients by `clip`", {"lr": 0.1}),
        ({"lr": 1e36, "clip": 1e20}, SAMPLES, r"lower the learning rate, `lr`$", {"lr": 0.1}),
        ({}, spoilt(), r"an input of training sample 7 is 3e\+38: bring the inputs to a range around 1", None),
    ],
    ids=["weight decay", "learning rate", "clipped", "input"],
)
def test_the_cause_is_named_and_its_cure_helps(changes, samples, words, better):
    recipe, loss = replace(RECIPE, **changes), fixed_point("ce", COUNTS)
    with pytest.raises(FloatingPointError, match="the training loss is (nan|inf) in epoch .*; " + words):
        train(linear(3).float(), samples, loss, recipe, 0)
    train(linear(3).float(), SAMPLES, loss, replace(recipe, **(better or {})), 0)


def test_of_adam_a_weight_decay_is_not_to_blame():
    assert "weight" not in advice(Recipe(optimizer="adam", weight_decay=1e6), SAMPLES)
    assert "weight" in advice(Recipe(optimizer="adamw", weight_decay=1e6), SAMPLES)
