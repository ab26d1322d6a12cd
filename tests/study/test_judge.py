"""What is measured of a method: folds together, constant predictions where a training diverged, ties."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from autobalance.data import DataOptions, load, stratified_folds
from autobalance.study import Conditions, named_method
from autobalance.training import Recipe, constant_output, setting_of


def test_figures_are_of_all_held_out_samples_together() -> None:
    setting = setting_of(load("digits", DataOptions(imbalance=50)), "linear")
    conditions, pool = Conditions(setting, Recipe(epochs=2)), setting.pool
    folds = [(pool.subset(rest), pool.subset(held)) for rest, held in stratified_folds(setting.problem, 5, seed=0)]
    assert any((out.class_counts(10) == 0).any() for _, out in folds), "a tail class is missing from some folds"
    figures = conditions.train_and_judge(named_method("ce"), folds, 0)
    wrong, all_of = torch.zeros(10), torch.zeros(10)
    for rest, out in folds:
        model = named_method("ce").train(setting, rest, 0, conditions.recipe).eval()
        for x, y in zip(out.x, out.y, strict=True):
            wrong[y] += model(x[None]).argmax(1)[0] != y
            all_of[y] += 1
    assert figures["class_error"] == pytest.approx((100 * wrong / all_of).tolist())
    assert figures["balanced_error"] == pytest.approx((100 * wrong / all_of).mean().item())


def test_a_training_that_diverged_counts_as_a_constant_prediction() -> None:
    setting = setting_of(load("digits"), "linear")
    conditions, problem = Conditions(setting, Recipe(epochs=2, lr=1e30)), setting.problem
    figures = conditions.train_and_judge(named_method("ce"), [(problem.train, problem.validation)], 0)
    assert figures["diverged"]
    assert figures["balanced_error"] == pytest.approx(90.0)
    largest = problem.train.class_counts(10).argmax()
    assert figures["class_error"][largest] == 0
    numbers = setting_of(load("diabetes", DataOptions(task="regression")), "linear")
    constant = constant_output(numbers.problem, numbers.problem.train, 3)
    torch.testing.assert_close(constant, numbers.problem.train.y.mean().repeat(3))


def test_cross_entropy_decides_between_equal_errors() -> None:
    setting = setting_of(load("digits"), "linear")
    conditions, samples = Conditions(setting, Recipe()), setting.problem.validation
    sure, unsure = (size * F.one_hot(samples.y, 10).float() for size in (5.0, 1.0))
    counts = conditions.task.counts(setting.problem.train)
    figures = [conditions.task.test(output, samples, counts) for output in (sure, unsure)]
    assert figures[0]["balanced_error"] == figures[1]["balanced_error"] == 0
    scores = [conditions.score(each) for each in figures]
    assert 0 < scores[0] < scores[1] < 1e-4
    by_class = [-unsure[samples.y == k].double().log_softmax(1)[:, k].mean() for k in range(10)]
    ce = (sum(by_class) / 10).item()
    assert scores[1] == pytest.approx(1e-4 * ce / (1 + ce))
    assert conditions.score(figures[0], "error") == pytest.approx(figures[0]["error"] + scores[0])
