"""What a recipe says: batches, learning rates, optimisers; and what it cannot say."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.hypergradients import SGD, Adam, Clipped
from autobalance.training import OPTIMIZERS, NamedOptimiser, Recipe, register_optimizer

RECIPE = Recipe(epochs=5, batch_size=10, lr=0.02, warmup_epochs=2, weight_decay=1e-2)


@pytest.mark.parametrize("number, size", [(63, 10), (64, 64), (95, 64), (97, 64), (5, 64), (7, 2)])
def test_batches_part_the_samples_into_sizes_that_differ_by_one_at_most(number, size):
    recipe = Recipe(batch_size=size)
    batches = recipe.batches(number, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(batches).tolist()) == list(range(number))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) - min(sizes) <= 1 and len(sizes) == recipe.steps_per_epoch(number)
    assert 2 / 3 * size <= max(sizes) <= 1.5 * size or len(sizes) == 1


def test_each_epoch_has_an_order_of_its_own():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat(Recipe().batches(100, generator)) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_rate_rises_to_its_largest_and_falls_to_nothing():
    rate = RECIPE.optimiser(63).lr
    rates = [rate(step) for step in range(5 * 6)]
    assert rates[0] == pytest.approx(0.02 / 12) and rates[11] == pytest.approx(0.02)
    assert rates == sorted(rates[:12]) + sorted(rates[12:], reverse=True)
    assert rates[29] < 0.01 * 0.02 and rate(30) == pytest.approx(0, abs=1e-12)
    assert Recipe(epochs=1, warmup_epochs=0).optimiser(64).lr(0) == 0.1


def test_steps_lower_the_learning_rate_to_a_tenth_twice():
    rate = Recipe(epochs=20, batch_size=10, lr=0.5, warmup_epochs=1, schedule="steps").optimiser(50).lr
    assert [rate(step) for step in (0, 4)] == pytest.approx([0.1, 0.5])
    assert [rate(step) for step in (5, 79, 80, 89, 90, 99)] == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])


def test_a_drop_lowers_the_rate_from_a_share_of_the_epochs_on_whatever_the_schedule():
    released = Recipe(epochs=200, batch_size=10, schedule="steps", lr_decay=0.01, drop=(0.5, 0.01)).optimiser(10).lr
    assert [released(epoch) for epoch in (99, 100, 159, 160, 179, 180)] == pytest.approx(
        [0.1, 0.001, 0.001, 1e-5, 1e-5, 1e-7]  # of Park et al.'s released code
    )
    plain, slowed = (Recipe(epochs=40, batch_size=10, drop=drop).optimiser(10).lr for drop in (None, (0.25, 0.1)))
    for step in range(40):
        assert slowed(step) == pytest.approx(plain(step) * (0.1 if step >= 10 else 1.0))
    for drop in ((1.0, 0.1), (0.5, 0.0), (-0.1, 0.1)):
        with pytest.raises(InputError, match="`drop`"):
            Recipe(drop=drop)


def test_augmented_images_are_trained_on_and_vectors_are_refused():
    recipe, generator = Recipe(augment="crop-flip"), torch.Generator().manual_seed(0)
    images = Samples(torch.arange(1.0, 33).view(2, 1, 4, 4), torch.tensor([0, 1]))
    batch = recipe.take(images, torch.tensor([1, 0]), generator)
    assert batch.y.tolist() == [1, 0] and batch.x.shape == (2, 1, 4, 4)
    assert not torch.equal(batch.x, images.x.flip(0))
    assert torch.equal(Recipe().take(images, torch.tensor([1, 0]), generator).x, images.x.flip(0))
    with pytest.raises(InputError, match="images"):
        recipe.take(Samples(torch.zeros(2, 5), torch.tensor([0, 1])), torch.tensor([0]), generator)


def made(**fields):
    """The optimiser of a recipe, with its largest learning rate in place of the schedule."""
    recipe = Recipe(**fields)
    optimiser = recipe.optimiser(100)
    if isinstance(optimiser, Clipped):
        return replace(optimiser, optimiser=replace(optimiser.optimiser, lr=recipe.lr))
    return replace(optimiser, lr=recipe.lr)


def test_optimisers_and_their_defaults():
    assert made() == SGD(0.1, 0.9, True, 5e-4)
    assert made(momentum=0.5, nesterov=False, weight_decay=0) == SGD(0.1, 0.5, False, 0)
    assert made(momentum=0) == SGD(0.1, 0, False, 5e-4)
    assert made(optimizer="adam") == Adam(1e-3, weight_decay=5e-4)
    assert made(optimizer="adamw", lr=0.01) == Adam(0.01, weight_decay=0.01, decoupled=True)
    assert made(optimizer="adamw", weight_decay=0) == Adam(1e-3)
    assert made(clip=2.0) == Clipped(SGD(0.1, 0.9, True, 5e-4), 2.0)
    assert made(optimizer="adam", clip=0.5) == Clipped(Adam(1e-3, weight_decay=5e-4), 0.5)


def test_what_was_left_out_is_filled_in_and_kept():
    kept = asdict(Recipe(schedule="steps"))
    assert (kept["lr"], kept["weight_decay"], kept["momentum"], kept["nesterov"]) == (0.1, 5e-4, 0.9, True)
    assert (kept["milestones"], kept["lr_decay"], kept["clip"]) == ((0.8, 0.9), 0.1, None)
    for recipe in (Recipe(), Recipe(schedule="steps"), Recipe(optimizer="adam", clip=1.0), Recipe(momentum=0)):
        assert Recipe(**asdict(recipe)) == recipe == replace(recipe, epochs=recipe.epochs)


def test_milestones_are_shares_or_epochs_and_the_rate_falls_by_its_own_factor():
    fields = {"epochs": 20, "batch_size": 10, "lr": 1.0, "warmup_epochs": 1, "schedule": "steps", "lr_decay": 0.5}
    rate = Recipe(**fields, milestones=[0.4, 15]).learning_rate(50)
    assert [rate(step) for step in (5, 39, 40, 74, 75, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    rate = Recipe(**fields, milestones=(3,)).learning_rate(50)
    assert [rate(step) for step in (14, 15, 99)] == [1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "`epochs` is 0; it has to be a whole number of at least 1"),
        ({"epochs": 2.5}, "`epochs` is 2.5"),
        ({"batch_size": 0}, "`batch_size` is 0"),
        ({"lr": 0}, "`lr` is 0; it has to be a number above 0"),
        ({"lr": math.nan}, "`lr` is nan"),
        ({"warmup_epochs": -1}, "`warmup_epochs` is -1"),
        ({"weight_decay": -1e-3}, "`weight_decay` is -0.001; it has to be a number of at least 0"),
        ({"schedule": "step"}, "`schedule` is 'step'; it has to be one of cosine, steps"),
        ({"augment": "flip"}, "`augment` is 'flip'; it has to be one of none, crop-flip, resized-crop"),
        ({"precision": "float16"}, "`precision` is 'float16'; it has to be one of float32, bfloat16"),
        ({"optimizer": "lion"}, "`optimizer` is 'lion'; it has to be one of sgd, adam, adamw"),
        ({"momentum": 1}, "`momentum` is 1; it has to be a number of at least 0 and below 1"),
        ({"clip": 0}, "`clip` is 0; it has to be a number above 0"),
        ({"momentum": 0, "nesterov": True}, "`nesterov` has no effect with `momentum` 0"),
        ({"optimizer": "adam", "momentum": 0.9}, "`momentum` 0.9 has no effect with `optimizer` adam: leave it out"),
        ({"optimizer": "adamw", "nesterov": False}, "`nesterov` False has no effect with `optimizer` adamw"),
        ({"milestones": (0.5, 0.9)}, "`milestones` 0.5,0.9 has no effect with `schedule` cosine: leave it out"),
        ({"lr_decay": 0.1}, "`lr_decay` 0.1 has no effect with `schedule` cosine"),
        ({"schedule": "steps", "lr_decay": 1}, "`lr_decay` is 1; it has to be a number above 0 and below 1"),
        ({"schedule": "steps", "milestones": 0.8}, "`milestones` is 0.8; it has to be one or more numbers"),
        ({"schedule": "steps", "milestones": ()}, "it has to be one or more numbers"),
        (
            {"schedule": "steps", "milestones": ("a",)},
            "`milestones` is 'a'; it has to be a number above 0",
        ),
        ({"schedule": "steps", "milestones": (60,)}, "`milestones` is 60; it has to be a number above 0 and below 60"),
        ({"schedule": "steps", "milestones": (1.5,)}, "`milestones` is 1.5; it has to be a whole number"),
        ({"schedule": "steps", "milestones": (0.9, 0.8)}, "`milestones` 0.9,0.8 do not rise"),
        ({"schedule": "steps", "milestones": (0.5, 30)}, "`milestones` 0.5,30 do not rise"),
    ],
)
def test_what_cannot_be_is_refused_when_the_recipe_is_made(fields, message):
    with pytest.raises(InputError) as error:
        Recipe(**fields)
    assert message in str(error.value)


def test_numbers_of_numpy_are_numbers():
    assert Recipe(epochs=np.int64(3), lr=np.float64(0.2)) == Recipe(epochs=3, lr=0.2)


def test_an_optimiser_from_outside_is_named_by_a_recipe():
    register_optimizer("slow", NamedOptimiser(lambda lr, weight_decay: SGD(lr, weight_decay=weight_decay), 0.01, 0.1))
    try:
        assert made(optimizer="slow") == SGD(0.01, weight_decay=0.1)
        with pytest.raises(InputError, match="'slow' already"):
            register_optimizer("slow", OPTIMIZERS["sgd"])
    finally:
        del OPTIMIZERS["slow"]
