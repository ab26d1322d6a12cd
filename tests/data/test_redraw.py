"""Problems with fewer samples, and problems split anew: every kept sample stays itself and is in one part."""

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data import Problem, Samples, fewer_samples, split_again


def numbered(labels, start=0):
    """Samples whose only input is their number."""
    y = torch.as_tensor(np.asarray(labels))
    return Samples(torch.arange(start, start + len(y)).double()[:, None], y)


def problem(train, validation, **more):
    parts = numbered(train), numbered(validation, 1000), numbered(validation, 2000)
    return Problem("mine", *parts, ("a", "b", "c"), **more)


def numbers(samples):
    return samples.x[:, 0].int().tolist()


def test_a_long_tail_follows_the_frequencies():
    given = problem([0] * 20 + [1] * 60 + [2] * 40, [0] * 20 + [1] * 20 + [2] * 20)
    made = fewer_samples(given, 0, imbalance=4)
    kept = made.train.join(made.validation)
    # 80, 60 and 40 samples of the classes 1, 2 and 0 bear a tail of 80, 40 and 20
    assert kept.class_counts(3).tolist() == [20, 80, 40]
    assert made.validation.class_counts(3).tolist() == [4, 16, 8]
    pool = given.train.join(given.validation)
    labels = dict(zip(numbers(pool), pool.y.tolist(), strict=True))
    assert all(labels[n] == y for n, y in zip(numbers(kept), kept.y.tolist(), strict=True))
    assert len(set(numbers(kept))) == 140 and made.test is given.test


def test_a_number_is_drawn_in_proportion():
    given = problem([0] * 80 + [1] * 40 + [2] * 40, [0] * 20 + [1] * 10 + [2] * 10)
    made = fewer_samples(given, 0, number=40)
    assert made.train.join(made.validation).class_counts(3).tolist() == [20, 10, 10]
    assert made.validation.class_counts(3).tolist() == [4, 2, 2]
    drawn = [numbers(fewer_samples(given, seed, number=40).train) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(fewer_samples(given, 0, number=999).final_training) == 200


def test_numbers_to_predict_keep_their_range():
    targets = np.linspace(0, 1, 100)
    given = Problem("mine", numbered(targets), numbered(targets, 1000), numbered(targets, 2000), ("l", "h"),
                    bin_edges=(0.0, 0.5, 1.0))  # fmt: skip
    made = fewer_samples(given, 0, number=50)
    assert len(made.train) + len(made.validation) == 50
    assert made.train.join(made.validation).y.double().mean().item() == pytest.approx(0.5, abs=0.05)


def test_split_again_leaves_the_old_validation_samples_out():
    given = problem([0] * 50 + [1] * 25 + [2] * 25, [0] * 9 + [1] * 9 + [2] * 9)
    made = split_again(given, 0)
    assert sorted(numbers(made.train) + numbers(made.validation)) == list(range(100))
    assert made.validation.class_counts(3).tolist() == [10, 5, 5]
    with pytest.raises(InputError, match="class 'c' has 1 sample, too few to split"):
        split_again(problem([0, 0, 0, 1, 1, 2], [0, 1, 2]), 0)
