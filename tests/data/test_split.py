"""Stratified splits: disjoint, complete, in proportion, reproducible, and errors that name the cell."""

import numpy as np
import pytest

from autobalance.common import InputError
from autobalance.data._split import stratified_split

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 10, 2]))


def test_parts_are_disjoint_complete_and_in_proportion():
    first, second = stratified_split(LABELS, 0.3, np.random.default_rng(1))
    assert sorted([*first, *second]) == list(range(112))
    assert np.bincount(LABELS[second]).tolist() == [30, 3, 1]
    assert np.bincount(LABELS[first]).tolist() == [70, 7, 1]


@pytest.mark.parametrize(("fraction", "expected"), [(0.01, [1, 1, 1]), (0.99, [99, 9, 1])])
def test_each_side_keeps_a_sample_of_each_class(fraction, expected):
    _, second = stratified_split(LABELS, fraction, np.random.default_rng(1))
    assert np.bincount(LABELS[second]).tolist() == expected


def test_cells_of_classes_and_groups_are_split_each_for_itself():
    labels, group = np.repeat([0, 0, 1, 1], [20, 40, 10, 2]), np.repeat([0, 1, 0, 1], [20, 40, 10, 2])
    _, second = stratified_split(labels, 0.5, np.random.default_rng(0), group=group)
    cells = {(k, g): int(((labels[second] == k) & (group[second] == g)).sum()) for k in (0, 1) for g in (0, 1)}
    assert cells == {(0, 0): 10, (0, 1): 20, (1, 0): 5, (1, 1): 1}


def test_the_generator_alone_decides():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    draws = [stratified_split(LABELS, 0.3, np.random.default_rng(s))[1].tolist() for s in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    assert np.array_equal(state, np.random.get_state()[1])


def test_a_class_with_too_few_samples_is_named_with_its_count_and_what_helps():
    labels = np.array([0, 0, 0, 1, 2, 2])
    with pytest.raises(InputError, match=r"class 'dog' has 1 sample, too few to split: .* merge or drop the class"):
        stratified_split(labels, 0.5, np.random.default_rng(0), class_names=("cat", "dog", "eel"))
    with pytest.raises(InputError, match=r"class 2 has 2 samples, .* training, validation and test need one each, 3"):
        stratified_split(np.repeat([0, 1, 2], [9, 9, 2]), 0.5, np.random.default_rng(0), leave=2)
    with pytest.raises(InputError, match="class 'eel' has 0 samples"):
        stratified_split(np.repeat([0, 1], 9), 0.5, np.random.default_rng(0), class_names=("cat", "dog", "eel"))


def test_a_cell_with_too_few_samples_is_named():
    with pytest.raises(InputError, match=r"class 1 of group 0 has 1 sample, .* drop the class or the group"):
        stratified_split(
            np.array([0, 0, 0, 0, 1, 1, 1]), 0.5, np.random.default_rng(0), group=np.array([0, 0, 1, 1, 0, 1, 1])
        )


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_fractions_that_leave_a_side_empty(fraction):
    with pytest.raises(InputError, match="fraction between 0 and 1"):
        stratified_split(LABELS, fraction, np.random.default_rng(0))
