"""What is searched of the augmentation: start, ties, gates, and the policy that comes out."""

import pytest
import torch

from autobalance.bilevel import AugmentationSpace
from autobalance.bilevel.space._augmentation import TEMPERATURE
from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.data.augmentation import OPERATIONS, changed_by

COUNTS = torch.tensor([100, 30, 10])
X = torch.randn(12, 3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.arange(12) % 3


def space(**more):
    return AugmentationSpace(X, COUNTS, **more)


def moved(searched, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: 0.3 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in searched.init().items()
    }


@pytest.mark.parametrize("tie", ["all", "frequency", "class"])
def test_start_is_a_quarter_of_the_largest_strength_half_of_the_time(tie):
    searched = space(tie=tie)
    strength, probability = searched.tables(searched.init())
    assert searched.operations == tuple(OPERATIONS["image"])
    for place, operation in enumerate(OPERATIONS["image"].values()):
        torch.testing.assert_close(strength[:, place], torch.full((3,), operation.largest / 4).double())
    torch.testing.assert_close(probability, torch.full_like(probability, 0.5))


def test_ties():
    one = space(tie="all")
    assert one.init()["augment_strength"].shape == (1, 10)
    for table in one.tables(moved(one)):
        assert torch.equal(table[0], table[1]) and torch.equal(table[0], table[2])
    line = space(tie="frequency")
    assert line.init()["augment_strength"].shape == (2, 10)
    _, probability = line.tables(moved(line))
    logit, log_n = torch.logit(probability), COUNTS.double().log()
    slopes = (logit[1:] - logit[:-1]) / (log_n[1:] - log_n[:-1])[:, None]
    torch.testing.assert_close(slopes[0], slopes[1])  # a straight line over log n
    assert slopes.abs().min() > 1e-3
    every = space(tie="class")
    raw = every.init()
    raw["augment_strength"][2, 4] = 1.0
    strength, _ = every.tables(raw)
    changed = strength != every.tables(every.init())[0]
    assert changed.nonzero().tolist() == [[2, 4]]


def test_strengths_and_probabilities_stay_within_their_bounds():
    searched = space(tie="class")
    raw = {name: value + 50 for name, value in searched.init().items()}
    found = searched.policy(raw)
    for place, operation in enumerate(OPERATIONS["image"].values()):
        assert (found.strength[:, place] <= operation.largest * 1.0001).all()
    assert (found.probability <= 1).all()


def test_transform_is_each_operation_with_the_strength_of_the_samples_class_times_its_relaxed_gate():
    searched = space(operations=["brightness"], tie="class")
    raw = moved(searched)
    batch = searched.draw(Batch(X, Y), torch.Generator().manual_seed(3))
    strength, probability = searched.tables(raw)
    found = searched.transform(raw, batch)
    for i in range(12):
        v, mu, pi = batch.draws["gate"][i, 0], strength[Y[i], 0], probability[Y[i], 0]
        gate = 1 / (1 + ((1 - pi) / pi * (1 - v) / v) ** (1 / TEMPERATURE))
        torch.testing.assert_close(found.x[i], X[i] + gate * mu * batch.draws["brightness"][i, 0])
    assert torch.equal(found.y, Y)
    assert searched.transform(raw, Batch(X, Y)).x is X  # validation batches have no draws


def test_policy_found_is_the_limit_of_the_relaxed_search():
    searched = space(tie="class")
    raw = moved(searched)
    found = searched.policy(raw)
    batch = searched.draw(Batch(X, Y), torch.Generator().manual_seed(5))
    used, _ = found(X, Y, generator=torch.Generator().manual_seed(5))
    strength, probability = (table[Y] for table in searched.tables(raw))
    limit = changed_by("image", searched.operations, X, strength, probability, batch.draws, temperature=1e-9)
    torch.testing.assert_close(used, limit, rtol=1e-4, atol=1e-4)  # a policy is kept in float32


def test_cells_of_classes_and_groups():
    searched = AugmentationSpace(X, torch.tensor([[80, 20], [20, 10], [5, 5]]), ["noise"], "frequency")
    raw = moved(searched)
    strength, _ = searched.tables(raw)
    assert strength.shape == (3, 2, 1)
    assert strength[0, 1, 0] == strength[1, 0, 0] != strength[0, 0, 0]  # as many samples
    group = (torch.arange(12) // 3) % 2
    batch = searched.draw(Batch(X, Y, group), torch.Generator().manual_seed(0))
    flat = AugmentationSpace(X, torch.tensor([80, 20, 20, 10, 5, 5]), ["noise"], "frequency")
    expected = flat.transform(raw, batch._replace(y=2 * Y + group, group=None))
    torch.testing.assert_close(searched.transform(raw, batch).x, expected.x)
    assert searched.policy(raw).num_groups == 2


def test_rows_and_grey_images_have_their_own_operations():
    assert AugmentationSpace(X[:, 0, 0], COUNTS).operations == ("mix", "noise", "masking")
    assert "saturation" not in AugmentationSpace(X[:, :1], COUNTS).operations


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tie": "group"}, "choose one of all, frequency, class"),
        ({"operations": ["flip"]}, "no operation on images is called 'flip'"),
        ({"operations": []}, "no operation is named"),
    ],
)
def test_what_cannot_be_is_refused(more, words):
    with pytest.raises(InputError, match=words):
        space(**more)


def test_equal_counts_have_no_frequency_to_follow():
    with pytest.raises(InputError, match="`tie_augment` to all or class"):
        AugmentationSpace(X, torch.tensor([5, 5, 5]))
    assert AugmentationSpace(X, torch.tensor([5, 5, 5]), tie="class").init()["augment_strength"].shape == (3, 10)
