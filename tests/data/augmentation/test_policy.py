"""Policies used from other code."""

import copy

import pytest
import torch
from torchvision.transforms import v2
from torchvision.tv_tensors import Image

from autobalance.common import InputError
from autobalance.data.augmentation import OPERATIONS, Policy


def policy(**more):
    """Class 0 is left alone; class 1 always gets brighter or darker and noisier."""
    strength = {"noise": [0.0, 0.4], "brightness": [0.5, 0.5]}
    return Policy("image", strength, {"noise": [1.0, 1.0], "brightness": [0.0, 1.0]}, **more)


X = torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 2


def test_each_class_has_a_policy_of_its_own():
    changed, y = policy()(X, Y)
    assert y is Y and changed.shape == X.shape
    assert torch.equal(changed[Y == 0], X[Y == 0])
    assert ((changed - X)[Y == 1].flatten(1).abs().amax(1) > 1e-3).all()


def test_an_operation_is_on_as_often_as_its_probability_says():
    x, y = torch.zeros(4000, 3, 2, 2), torch.zeros(4000, dtype=torch.int64)
    sometimes = Policy("image", {"brightness": [0.5]}, {"brightness": [0.3]})
    changed, _ = sometimes(x, y)
    assert (changed != 0).flatten(1).any(1).float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_a_generator_or_torchs_own_seed_make_it_repeat():
    first, _ = policy()(X, Y, generator=torch.Generator().manual_seed(1))
    second, _ = policy()(X, Y, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, second)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        third, _ = policy()(X, Y)
        torch.manual_seed(3)
        again, _ = policy()(X, Y)
    assert torch.equal(third, again) and not torch.equal(third, first)


def test_a_transform_among_torchvisions():
    image = Image((torch.rand(3, 8, 8) * 255).to(torch.uint8))
    chain = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3), policy()])
    plain = v2.Compose(chain.transforms[:2])(image)
    changed, y = chain(image, 0)
    assert y == 0 and torch.equal(changed.as_subclass(torch.Tensor), plain.as_subclass(torch.Tensor))
    changed, y = chain(image, 1)
    assert y == 1 and changed.shape == (3, 8, 8) and (changed - plain).abs().max() > 1e-3


def test_rows_of_a_table():
    rows = Policy("table", {"masking": [0.0, 0.5]}, {"masking": [1.0, 1.0]})
    x = torch.ones(30, 9)
    changed, _ = rows(x, Y[:30])
    assert (changed[Y[:30] == 0] == 1).all() and (changed[Y[:30] == 1] == 0).any()
    assert rows(x[0], 1)[0].shape == (9,)


def test_a_policy_for_groups():
    grouped = Policy(
        "table", {"noise": [[0.0, 0.5], [0.5, 0.0]]}, {"noise": [[1.0, 1.0], [1.0, 1.0]]}, group_names=["a", "b"]
    )
    x, group = torch.zeros(40, 3), (torch.arange(40) // 2) % 2
    changed, _ = grouped(x, Y, group)
    assert torch.equal((changed != 0).any(1), group != Y)
    assert (grouped(x[0], 0, 1)[0] != 0).any()
    with pytest.raises(InputError, match="has 2 groups"):
        grouped(x, Y)


def test_it_moves_and_goes_through_a_state_dict():
    other = Policy("image", {"noise": [0.0, 0.0], "brightness": [0.0, 0.0]}, {"noise": [0, 0], "brightness": [0, 0]})
    other.load_state_dict(policy().state_dict())
    assert torch.equal(other.strength, policy().strength)
    assert policy()(X.double(), Y)[0].dtype == torch.float64
    assert copy.deepcopy(policy()).operations == ("brightness", "noise")


def test_without_an_operation():
    mixing = Policy("image", {"mix": [0.3, 0.3], "noise": [0.1, 0.2]}, {"mix": [1.0, 1.0], "noise": [0.5, 1.0]})
    with pytest.raises(InputError, match=r'policy\.without\("mix"\)'):
        mixing(X[0], 0)
    rest = mixing.without("mix")
    assert rest.operations == ("noise",) and rest.probability.tolist() == [[0.5], [1.0]]
    assert rest(X[0], 1)[0].shape == X[0].shape
    for names in (["shift"], ["mix", "noise"]):
        with pytest.raises(InputError):
            mixing.without(*names)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X.to(torch.uint8), Y, "v2.Normalize"),
        ("image", Y, "not str"),
        (X[0, 0], 0, "one more for a batch"),
        (X, Y[:5], "40 samples"),
        (X, Y.float(), "whole number"),
        (X, Y + 1, "the policy has 2"),
        (X, Y - 1, "the policy has 2"),
    ],
)
def test_calls_that_cannot_be_right(x, y, words):
    with pytest.raises(InputError, match=words):
        policy()(x, y)


def test_saturation_needs_colours():
    grey = Policy("image", {"saturation": [0.1]}, {"saturation": [0.5]})
    with pytest.raises(InputError, match="needs 3 colours"):
        grey(X[:, :1], torch.zeros(40, dtype=torch.int64))


@pytest.mark.parametrize(
    ("kind", "strength", "probability", "names", "words"),
    [
        ("sound", {"noise": [1.0]}, {"noise": [1.0]}, None, "one of image, table"),
        ("table", {"shift": [1.0]}, {"shift": [1.0]}, None, "'shift'"),
        ("table", {}, {}, None, "one or more"),
        ("table", {"noise": [1.0]}, {"mix": [1.0]}, None, "the same operations"),
        ("table", {"noise": [1.0]}, {"noise": [1.0, 1.0]}, None, "both are"),
        ("table", {"noise": [1.0], "mix": [1.0, 0.2]}, {"noise": [1.0], "mix": [1.0]}, None, "alike for all"),
        ("table", {"noise": [-1.0]}, {"noise": [1.0]}, None, "below 0"),
        ("table", {"noise": [float("nan")]}, {"noise": [1.0]}, None, "not finite"),
        ("table", {"noise": [1.0]}, {"noise": [1.5]}, None, "above 1"),
        ("table", {"noise": [1.0]}, {"noise": [0.5]}, ["a", "b"], "class_names has 2 names, but the tables have 1"),
    ],
)
def test_policies_that_cannot_be(kind, strength, probability, names, words):
    with pytest.raises(InputError, match=words):
        Policy(kind, strength, probability, names)


def test_every_operation_can_be_in_a_policy():
    everything = OPERATIONS["image"]
    full = Policy(
        "image", {name: [o.largest] * 2 for name, o in everything.items()}, {name: [1, 1] for name in everything}
    )
    changed, _ = full(X, Y)
    assert changed.isfinite().all() and full.operations == tuple(everything)
    assert "2 classes" in repr(full)
