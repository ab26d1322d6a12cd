"""Cross-validation folds: every sample is held out once, and the folds side by side."""

from __future__ import annotations

import pytest
import torch

from autobalance.common import InputError
from autobalance.data import FoldedSamples, Problem, Samples, stratified_folds, stratum


def problem_of(counts: list[int], groups: bool = False) -> Problem:
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    group = torch.arange(len(y)) % 2 if groups else None
    samples = Samples(torch.arange(len(y)).float()[:, None], y, group)
    first, nothing = samples.subset(torch.arange(0, len(y), 2)), samples.subset(torch.arange(0))
    rest = samples.subset(torch.arange(1, len(y), 2))
    return Problem("made up", first, rest, nothing, tuple("abcdefgh"[: len(counts)]))


@pytest.mark.parametrize("groups", [False, True])
def test_every_sample_is_held_out_once_and_classes_are_spread(groups: bool) -> None:
    counts = [40, 9, 2]
    problem = problem_of(counts, groups)
    pool = problem.train.join(problem.validation)
    folds = stratified_folds(problem, 4, seed=0)
    assert sorted(torch.cat([held for _, held in folds]).tolist()) == list(range(51))
    for rest, held in folds:
        assert not set(rest.tolist()) & set(held.tolist())
        trained_on, out = pool.subset(rest), pool.subset(held)
        assert len(trained_on) + len(out) == 51
        assert (trained_on.class_counts(3) > 0).all()
        for count, total in zip(out.class_counts(3).tolist(), counts, strict=True):
            assert abs(count - total / 4) < (1.6 if groups else 1)
    again, other = (stratified_folds(problem_of(counts, groups), 4, seed) for seed in (0, 1))
    assert torch.equal(folds[0][1], again[0][1])
    assert not torch.equal(folds[0][1], other[0][1])


def test_bins_of_a_regression_are_spread() -> None:
    y = torch.cat([torch.full((30,), 0.5), torch.full((6,), 1.5)])
    samples = Samples(torch.zeros(36, 1), y)
    problem = Problem("numbers", samples, samples.subset(torch.arange(0)), samples, ("low", "high"), None, (0, 1, 2))
    for _, held in stratified_folds(problem, 3, seed=0):
        assert [int((y[held] == value).sum()) for value in (0.5, 1.5)] == [10, 2]


def test_a_class_of_one_sample_is_named() -> None:
    with pytest.raises(InputError, match="class 'b' has one sample"):
        stratified_folds(problem_of([20, 1]), 3, seed=0)


def test_folds_side_by_side_are_equally_long_and_lose_only_samples_of_the_largest_class() -> None:
    problem = problem_of([41, 9, 2])
    pool = problem.train.join(problem.validation)
    parts = [held for _, held in stratified_folds(problem, 4, seed=0)]
    together = FoldedSamples.of(pool, parts, stratum(pool, None))
    assert (together.folds, len(together)) == (4, 13)
    everything = together.all()
    assert everything.x.shape == (4, 13, 1) and everything.y.shape == (4, 13)
    for part, x in zip(parts, everything.x, strict=True):
        lost = set(pool.x[part].flatten().tolist()) - set(x.flatten().tolist())
        assert len(lost) == len(part) - 13 and all(value < 41 for value in lost)
    index = torch.tensor([3, 0])
    for fold, batch in enumerate(zip(*together.take(index)[:2], strict=True)):
        assert torch.equal(batch[0], pool.x[together.index[fold][index]])
        assert torch.equal(batch[1], pool.y[together.index[fold][index]])


def test_groups_go_along() -> None:
    problem = problem_of([20, 8], groups=True)
    pool = problem.train.join(problem.validation)
    parts = [rest for rest, _ in stratified_folds(problem, 2, seed=0)]
    together = FoldedSamples.of(pool, parts, stratum(pool, None))
    group = together.all().group
    assert group is not None and torch.equal(group[1], pool.group[together.index[1]])
