"""Arrays become tensors: layouts, standardisation against plain numpy, and errors with place and value."""

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_arrays
from autobalance.data._to_samples import fit_encoder
from autobalance.data._to_samples import to_samples as encoded

RNG = np.random.default_rng(0)
Y = np.array([0, 1, 0, 1])


def to_samples(parts, **how):
    """As a source does it: encoded as the first part says."""
    return encoded(parts, fit_encoder(parts[0], **how))


def of_bytes(*shape):
    return RNG.integers(0, 256, size=shape, dtype=np.uint8)


def test_vectors_are_standardised_by_training_statistics():
    train, test = RNG.normal(5, 3, size=(4, 3)), RNG.normal(5, 3, size=(4, 3))
    train[:, 1] = 0.1  # constant, and not exact in binary
    test[:, 1] = 2.1
    first, second = to_samples([Arrays(train, Y), Arrays(test, Y)])
    mean, std = train.mean(0), train.std(0)
    std[1] = 1
    np.testing.assert_allclose(first.x, (train - mean) / std, atol=1e-6)
    np.testing.assert_allclose(second.x, (test - mean) / std, atol=1e-6)
    assert first.x.dtype == torch.float32 and first.y.dtype == torch.int64


def test_bytes_are_standardised_by_channel():
    train, test = of_bytes(4, 5, 6, 3), of_bytes(4, 5, 6, 3)
    first, second = to_samples([Arrays(train, Y), Arrays(test, Y)])
    assert first.x.shape == (4, 3, 5, 6) and first.x.is_contiguous()
    for c in range(3):
        mean, std = train[..., c].astype(float).mean(), train[..., c].astype(float).std()
        np.testing.assert_allclose(first.x[:, c], (train[..., c] - mean) / std, atol=1e-5)
        np.testing.assert_allclose(second.x[:, c], (test[..., c] - mean) / std, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((4, 5, 6), (4, 1, 5, 6)),
        ((4, 5, 6, 1), (4, 1, 5, 6)),
        ((4, 3, 5, 6), (4, 3, 5, 6)),
        ((4, 9), (4, 9)),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_layouts(kind, given, expected):
    (samples,) = to_samples([Arrays(of_bytes(*given).astype(kind), Y)])
    assert samples.x.shape == expected


def test_layouts_in_doubt_are_channels_last_for_bytes_and_first_for_floats():
    image = of_bytes(4, 3, 5, 3)
    assert to_samples([Arrays(image, Y)])[0].x.shape == (4, 3, 3, 5)
    assert to_samples([Arrays(image.astype(float), Y)])[0].x.shape == (4, 3, 5, 3)


def test_floats_can_be_left_as_they_are():
    x = RNG.normal(size=(4, 3)).astype(np.float32)
    assert torch.equal(to_samples([Arrays(x, Y)], standardise=False)[0].x, torch.from_numpy(x))


def test_parts_of_other_shapes_are_an_error():
    with pytest.raises(InputError, match=r"samples of shape \(2,\) beside training samples of shape \(3,\)"):
        to_samples([Arrays(np.ones((4, 3)), Y), Arrays(np.ones((4, 2)), Y)])
    with pytest.raises(InputError, match="neither vectors"):
        to_samples([Arrays(np.ones((4, 3, 2, 2, 2)), Y)])


def spoiled(value, *at):
    x = np.zeros((4, 3))
    x[at] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (spoiled(np.nan, 2, 1), Y, r"x_train\[2, 1\] \(row 2\) is nan"),
        (spoiled(-np.inf, 3, 0), Y, r"x_train\[3, 0\] \(row 3\) is -inf"),
        (spoiled(1e300, 0, 2), Y, r"x_train\[0, 2\] \(row 0\) is 1e\+300"),
        (np.array([["a", "b"]] * 4), Y, "x_train holds <U1, not numbers"),
        (np.zeros((0, 3)), Y[:0], r"x_train is empty, its shape is \(0, 3\)"),
        (np.zeros(4), Y, r"x_train has shape \(4,\)"),
        (np.zeros((4, 3)), Y[:3], r"y_train has shape \(3,\), but there are 4 samples"),
        (np.zeros((4, 3)), Y[:, None], r"y_train has shape \(4, 1\)"),
        (np.zeros((4, 3)), np.array([0, 1, -1, 1]), r"y_train\[2\] is -1"),
        (np.zeros((4, 3)), np.array([0, 1, 1.5, 1]), r"y_train\[2\] is 1.5"),
        (np.zeros((4, 3)), np.array([0, 1, np.nan, 1]), r"y_train\[2\] is nan"),
        (np.zeros((4, 3)), np.array([0, 1, 10**9, 1]), r"y_train\[2\] is 1000000000"),
        (np.zeros((4, 3)), np.array([1, 2, 1, 2]), "y_train has no sample of class 0"),
        (np.zeros((4, 3)), np.array([0, 2, 0, 3]), "y_train has no sample of class 1: every class from 0 to 3"),
        (np.zeros((4, 3)), np.array(list("abab")), "y_train holds <U1, not integers"),
        (np.zeros((4, 3)), Y * 0, "y_train holds one class only"),
    ],
)
def test_errors_have_the_place_and_the_value(x, y, message):
    with pytest.raises(InputError, match=message):
        check_arrays(x, y, part="train")


def test_a_test_split_must_have_the_classes_and_groups_of_the_training_split():
    x = np.zeros((4, 3))
    with pytest.raises(InputError, match="y_test has no sample of class 2"):
        check_arrays(x, Y, part="test", num_classes=3)
    with pytest.raises(InputError, match=r"y_test\[1\] is 2: class labels must be integers 0..1"):
        check_arrays(x, np.array([0, 2, 1, 1]), part="test", num_classes=2)
    with pytest.raises(InputError, match=r"group_test\[3\] is 5: group labels must be integers 0..1"):
        check_arrays(x, Y, np.array([0, 1, 1, 5]), part="test", num_classes=2, num_groups=2)


def test_whole_floats_are_labels_too():
    assert check_arrays(np.zeros((4, 3)), Y.astype(float), part="train").y.tolist() == [0, 1, 0, 1]
