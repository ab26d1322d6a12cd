"""Samples that stand in two parts: against a plain loop over all pairs."""

import numpy as np
import pytest
import torch
from toy import gaussians

from autobalance.data import Problem, repeated_samples


def problem(copies):
    train, validation, test = (gaussians([12, 8], seed) for seed in (0, 1, 2))
    validation.x[:3], validation.y[:3] = train.x[:3], train.y[:3]
    test.x[: len(copies)], test.y[: len(copies)] = validation.x[copies], validation.y[copies]
    test.y[0] = 1 - test.y[0]
    return Problem("toy", train, validation, test, ("a", "b"))


@pytest.mark.parametrize("copies", [[], [0, 7], [5, 6, 19, 0]])
def test_it_counts_the_pairs_that_are_equal(copies):
    made = problem(copies)
    expected = {}
    before = made.train
    for part, seen in (("validation", before), ("test", before.join(made.validation))):
        own = getattr(made, part)
        same = (own.x[:, None] == seen.x[None]).all(2)
        other = same.any(1) & ~(same & (own.y[:, None] == seen.y[None])).any(1)
        if same.any():
            expected[part] = {"samples": int(same.any(1).sum()), "other_target": int(other.sum())}
    assert repeated_samples(made) == expected
    assert expected["validation"] == {"samples": 3, "other_target": 0}
    assert expected.get("test", {}).get("other_target", 0) == bool(copies)


def test_samples_without_twins_are_not_mentioned():
    x = torch.from_numpy(np.eye(20, dtype=np.float32))
    parts = [type(gaussians([1, 1], 0))(x[i::3], torch.arange(len(x[i::3])) % 2) for i in range(3)]
    assert repeated_samples(Problem("eye", *parts, ("a", "b"))) == {}
