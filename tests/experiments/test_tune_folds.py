"""Folds that a trial is judged on, and the figures of all of them together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from autobalance.cli._setting import open_setting
from autobalance.data import stratified_folds
from autobalance.training import Recipe, Setting
from experiments.judge import train_and_judge
from experiments.methods import Job
from experiments.methods._parse import named
from experiments.options import CompareOptions
from experiments.yardsticks import ClassErrors


def test_figures_are_of_all_held_out_samples_together(monkeypatch: pytest.MonkeyPatch) -> None:
    task: Setting = open_setting(CompareOptions(model="linear", imbalance=50))
    pool = task.problem.train.join(task.problem.validation)
    folds = [(pool.subset(rest), pool.subset(held)) for rest, held in stratified_folds(task.problem, 5, seed=0)]
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
