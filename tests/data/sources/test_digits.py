"""The digits: their profile, their fixed test split, their standardisation, and that the splits share no sample."""

import numpy as np
import pytest
import torch
from sklearn import datasets

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def rows(samples):
    return {row.numpy().tobytes() for row in samples.x}


def test_the_splits_share_no_sample_and_have_the_profile_asked_for():
    problem = load("digits", DataOptions(imbalance=20, seed=5))
    parts = [rows(part) for part in (problem.train, problem.validation, problem.test)]
    assert [len(p) for p in parts] == [len(problem.train), len(problem.validation), len(problem.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    # class 0 has 178 digits, 50 of which are test: 128 are left, and 128 * 20 ** (-k / 9) of class k
    both = problem.train.class_counts(10) + problem.validation.class_counts(10)
    assert both.tolist() == [int(128 * 20 ** (-k / 9)) for k in range(10)]
    assert problem.test.class_counts(10).tolist() == [50] * 10
    assert problem.num_classes == 10 and problem.class_names[3] == "3"


def test_images_are_the_real_ones_standardised_by_the_training_split():
    problem = load("digits")
    x = problem.train.x
    assert x.shape[1:] == (1, 8, 8) and x.dtype == torch.float32
    assert x.double().mean().item() == pytest.approx(0, abs=1e-6)
    assert x.double().std(correction=0).item() == pytest.approx(1, abs=1e-6)
    # undoing an affine map brings back grey levels 0..16 of digits with the right labels
    level = (x - x.min()) / (x.max() - x.min()) * 16
    bunch = datasets.load_digits()
    real = {image.astype(np.uint8).tobytes(): label for image, label in zip(bunch.data, bunch.target, strict=True)}
    found = [real[image.flatten().round().to(torch.uint8).numpy().tobytes()] for image in level]
    assert found == problem.train.y.tolist()


def test_a_seed_reproduces_and_another_one_draws_another_train_but_the_same_test_split():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (
        load("digits", DataOptions(seed=1)),
        load("digits", DataOptions(seed=1)),
        load("digits", DataOptions(seed=2)),
    )
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.train.x, again.train.x) and torch.equal(first.validation.y, again.validation.y)
    assert rows(first.train) != rows(other.train)
    assert torch.equal(first.test.y, other.test.y)


def test_a_step_profile():
    problem = load("digits", DataOptions(imbalance=10, imbalance_type="step", validation=0.5))
    # the scarcest of the first five classes has 177 digits, so 127 beside its test samples
    assert (problem.train.class_counts(10) + problem.validation.class_counts(10)).tolist() == [127] * 5 + [12] * 5
    assert problem.validation.class_counts(10).tolist() == [64] * 5 + [6] * 5


def test_a_target_column_has_no_effect_on_digits():
    with pytest.raises(InputError, match="`target` price has no effect on digits"):
        load("digits", DataOptions(target="price"))
