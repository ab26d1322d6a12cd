"""Digits on two grounds: which pictures are where, and that the test split is balanced and stays."""

import numpy as np
import pytest
from sklearn import datasets

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def pictures(samples, problem):
    """Bytes from 0 to 16 again: the data were standardised by one mean and deviation."""
    x = samples.x.numpy()
    low, high = (min(p.x.min() for p in parts(problem)), max(p.x.max() for p in parts(problem)))
    return np.rint((x - low.item()) / (high - low).item() * 16).astype(int).reshape(-1, 64)


def parts(problem):
    return problem.train, problem.validation, problem.test


def test_cells():
    problem = load("digits-groups")
    assert problem.class_names == ("0 to 4", "5 to 9") and problem.group_names == ("dark ground", "light ground")
    cells = [part.cell_counts(2, 2) for part in parts(problem)]
    assert cells[2].tolist() == [[125, 125], [125, 125]]
    both = cells[0] + cells[1]
    assert both.sum() == 1797 - 500
    for usual, other in ((both[0, 0], both[0, 1]), (both[1, 1], both[1, 0])):
        assert usual / other == pytest.approx(10, rel=0.05)
    rare = load("digits-groups", DataOptions(imbalance=50))
    both = rare.train.cell_counts(2, 2) + rare.validation.cell_counts(2, 2)
    assert both[0, 0] / both[0, 1] == pytest.approx(50, rel=0.2)


def test_every_picture_is_a_digit_of_its_class_or_its_negative():
    problem, bunch = load("digits-groups"), datasets.load_digits()
    labels = {tuple(row): k for row, k in zip(bunch.images.astype(int).reshape(-1, 64), bunch.target, strict=True)}
    seen = set()
    for part in parts(problem):
        for row, y, group in zip(pictures(part, problem), part.y.tolist(), part.group.tolist(), strict=True):
            key = tuple(16 - row if group else row)
            assert (labels[key] >= 5) == y
            assert key not in seen
            seen.add(key)
    assert len(seen) == 1797


def test_a_seed_draws_the_grounds_and_no_seed_moves_the_test_split():
    first, again, other = (load("digits-groups", DataOptions(seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(first.train.group, again.train.group)
    assert not np.array_equal(first.train.group, other.train.group)
    assert np.array_equal(pictures(first.test, first), pictures(other.test, other))
    assert np.array_equal(first.test.group, other.test.group)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"imbalance": 0.5}, "is below 1"),
        ({"imbalance": 1e6}, "leaves no picture on the other ground"),
        ({"imbalance_type": "step"}, "`imbalance_type` step has no effect on digits-groups"),
        ({"target": "y"}, "`target` y has no effect on digits-groups"),
    ],
)
def test_what_cannot_be(settings, words):
    with pytest.raises(InputError, match=words):
        load("digits-groups", DataOptions(**settings))
