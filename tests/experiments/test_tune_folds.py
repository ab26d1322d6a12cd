"""Folds that a trial is judged on, and the figures of all of them together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from autobalance._task import Task, open_task
from autobalance.data import Problem, Samples
from autobalance.errors import InputError
from autobalance.training import Recipe
from experiments.folds import stratified_folds
from experiments.judge import train_and_judge
from experiments.methods import Job
from experiments.methods._parse import named
from experiments.options import CompareOptions
from experiments.yardsticks import ClassErrors


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
    folds = stratified_folds(problem_of(counts, groups), 4, seed=0)
    held = torch.cat([out.x.flatten() for _, out in folds])
    assert sorted(held.tolist()) == list(range(51))
    for trained_on, out in folds:
        assert not set(trained_on.x.flatten().tolist()) & set(out.x.flatten().tolist())
        assert len(trained_on) + len(out) == 51
        assert (trained_on.class_counts(3) > 0).all()
        for count, total in zip(out.class_counts(3).tolist(), counts, strict=True):
            assert abs(count - total / 4) < (1.6 if groups else 1)
    again, other = (stratified_folds(problem_of(counts, groups), 4, seed) for seed in (0, 1))
    assert torch.equal(folds[0][1].x, again[0][1].x)
    assert not torch.equal(folds[0][1].x, other[0][1].x)


def test_bins_of_a_regression_are_spread() -> None:
    y = torch.cat([torch.full((30,), 0.5), torch.full((6,), 1.5)])
    samples = Samples(torch.zeros(36, 1), y)
    problem = Problem("numbers", samples, samples.subset(torch.arange(0)), samples, ("low", "high"), None, (0, 1, 2))
    for _, out in stratified_folds(problem, 3, seed=0):
        assert [int((out.y == value).sum()) for value in (0.5, 1.5)] == [10, 2]


def test_a_class_of_one_sample_is_named() -> None:
    with pytest.raises(InputError, match="class 'b' has one sample"):
        stratified_folds(problem_of([20, 1]), 3, seed=0)


def test_figures_are_of_all_held_out_samples_together(monkeypatch: pytest.MonkeyPatch) -> None:
    task: Task = open_task(CompareOptions(model="linear", imbalance=50))
    folds = stratified_folds(task.problem, 5, seed=0)
    assert any((out.class_counts(10) == 0).any() for _, out in folds), "a tail class is missing from some folds"
    jobs = [(Job(task, rest, Recipe(epochs=2), 0, {}), out) for rest, out in folds]
    outcome = train_and_judge(named("ce"), jobs, ClassErrors(), (100, 20))
    wrong, all_of = torch.zeros(10), torch.zeros(10)
    for job, out in jobs:
        model: nn.Module = named("ce").train(replace(job)).eval()
        for x, y in zip(out.x, out.y, strict=True):
            wrong[y] += model(x[None]).argmax(1)[0] != y
            all_of[y] += 1
    assert outcome.figures["class_error"] == pytest.approx((100 * wrong / all_of).tolist())
    assert outcome.figures["balanced_error"] == pytest.approx((100 * wrong / all_of).mean().item())
