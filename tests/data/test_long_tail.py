"""Long-tailed profiles: totals known from the literature, counts written out by hand, subsets, errors."""

import numpy as np
import pytest

from autobalance.common import InputError
from autobalance.data import long_tail_counts
from autobalance.data._long_tail import long_tail_subset


def test_profiles_of_the_literature():
    # training sizes that Cao et al. 2019 and their successors report for CIFAR-LT
    assert sum(long_tail_counts(5000, 10, 100)) == 12_406
    assert sum(long_tail_counts(500, 100, 100)) == 10_847
    assert long_tail_counts(5000, 10, 100) == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


def floor_of_profile(largest, num_classes, imbalance, k):
    """The largest c with c <= n imbalance^(-k/(K-1)), in whole numbers: c^(K-1) imbalance^k <= n^(K-1)."""
    low, high, power = 0, largest, num_classes - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**power * imbalance**k <= largest**power else (low, middle - 1)
    return low


@pytest.mark.parametrize(("largest", "num_classes"), [(5000, 10), (500, 100), (4500, 10), (500, 200)])
@pytest.mark.parametrize("imbalance", [10, 20, 50, 100, 200])
def test_rounding_never_takes_a_sample_away(largest, num_classes, imbalance):
    wanted = [floor_of_profile(largest, num_classes, imbalance, k) for k in range(num_classes)]
    assert long_tail_counts(largest, num_classes, float(imbalance)) == wanted
    assert wanted[-1] == largest // imbalance
    steps = [largest] * (num_classes // 2) + [largest // imbalance] * (num_classes // 2)
    assert long_tail_counts(largest, num_classes, float(imbalance), "step") == steps


def test_steps_by_hand():
    assert long_tail_counts(60, 4, 10, "step") == [60, 60, 6, 6]
    assert long_tail_counts(60, 5, 7, "step") == [60, 60, 60, 8, 8]
    assert long_tail_counts(49, 2, 49) == [49, 1]
    assert long_tail_counts(9, 3, 1) == [9, 9, 9]


def test_a_subset_has_the_profile_and_comes_from_its_own_class():
    labels = np.arange(300) % 3
    index = long_tail_subset(labels, 10, "exp", np.random.default_rng(0))
    assert len(set(index.tolist())) == len(index)
    assert np.bincount(labels[index]).tolist() == [100, 31, 10]
    again = long_tail_subset(labels, 10, "exp", np.random.default_rng(0))
    other = long_tail_subset(labels, 10, "exp", np.random.default_rng(1))
    assert np.array_equal(index, again) and not np.array_equal(index, other)


def test_without_a_size_the_subset_is_the_largest_that_every_class_allows():
    labels = np.repeat([0, 1, 2], [100, 20, 50])
    index = long_tail_subset(labels, 4, "exp", np.random.default_rng(0))
    # n, n / 2, n / 4: class 1 stops it at floor(n / 2) = 20
    assert np.bincount(labels[index]).tolist() == [41, 20, 10]


def test_a_class_that_is_too_small_for_its_place_is_an_error():
    with pytest.raises(InputError, match="class 1 has 20 training samples, a long tail of imbalance 4 needs 30"):
        long_tail_subset(np.repeat([0, 1, 2], [100, 20, 50]), 4, "exp", np.random.default_rng(0), largest=60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 5, 100), "imbalance 100 leaves no sample for the last of 5 classes .* at most 10"),
        ((10, 5, 0.5), "at least 1, got 0.5"),
        ((10, 5, float("nan")), "at least 1, got nan"),
        ((10, 1, 2), "two classes, got 10 samples and 1 classes"),
        ((10, 5, 2, "linear"), "'linear' is unknown: choose exp or step"),
    ],
)
def test_bad_profiles(arguments, message):
    with pytest.raises(InputError, match=message):
        long_tail_counts(*arguments)
