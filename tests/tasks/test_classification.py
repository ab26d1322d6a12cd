"""The figures of classes against scikit-learn."""

import math
import statistics

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from autobalance.data import Problem, Samples
from autobalance.tasks import Classification, task_of

COUNTS = torch.tensor([200, 101, 100, 20, 19])


def figures_of(logits, target, counts=COUNTS):
    samples = Samples(torch.zeros(len(target), 1), target)
    problem = Problem("made up", samples, samples, samples, tuple("abcde"[: logits.shape[1]]))
    return task_of(problem).test(logits, samples, counts)


def draw(seed, absent=()):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(5, (83,), generator=generator)
    for k in absent:
        target[target == k] = 2
    return target, torch.randn(83, 5, generator=generator) + 2 * F.one_hot(target, 5)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")  # a class that no sample has is predicted
@pytest.mark.parametrize("absent", ([], [1], [0, 4]))
@pytest.mark.parametrize("seed", range(3))
def test_errors_are_scikit_learns_with_and_without_absent_classes(absent, seed):
    target, logits = draw(seed, absent)
    guess, found = logits.argmax(1), figures_of(logits, target)
    assert found["balanced_error"] == pytest.approx(100 * (1 - balanced_accuracy_score(target, guess)), abs=1e-10)
    assert found["error"] == pytest.approx(100 * (1 - accuracy_score(target, guess)), abs=1e-10)
    recall = recall_score(target, guess, labels=list(range(5)), average=None, zero_division=math.nan)
    expected = [None if math.isnan(value) else 100 * (1 - value) for value in recall.tolist()]
    assert [k for k in range(5) if found["class_error"][k] is None] == absent
    assert [v for v in found["class_error"] if v is not None] == pytest.approx([v for v in expected if v is not None])


def test_nothing_and_everything_wrong():
    y = torch.tensor([0, 0, 1])
    for answer, error in ((y, 0), (1 - y, 100)):
        found = figures_of(F.one_hot(answer, 2).float(), y, torch.ones(2))
        assert (found["balanced_error"], found["error"], found["class_error"]) == (error, error, [error, error])


def test_balanced_cross_entropy_is_a_mean_of_means():
    logits, y = torch.randn(30, 3), torch.tensor([0] * 20 + [2] * 10)
    by_class = [-logits[y == k].double().log_softmax(1)[:, k].mean() for k in (0, 2)]
    assert figures_of(logits, y, torch.ones(3))["balanced_ce"] == pytest.approx((sum(by_class) / 2).item())


def test_errors_of_many_medium_and_few_shot_classes():
    target, logits = draw(0, absent=(1,))
    found = figures_of(logits, target)
    errors = found["class_error"]
    assert (
        found["shots"]
        == {
            "many": {"error": errors[0], "number": 1},  # of the other no sample is there to be tested
            "medium": {"error": pytest.approx(statistics.fmean(errors[2:4])), "number": 2},
            "few": {"error": errors[4], "number": 1},
        }
    )
    assert figures_of(logits[:, :3], target.clamp_max(2), torch.full((3,), 30))["shots"]["few"] == {
        "error": None,
        "number": 0,
    }


def test_the_main_metric_comes_first_and_another_breaks_ties():
    samples = Samples(torch.zeros(2, 1), torch.tensor([0, 1]))
    task = task_of(Problem("made up", samples, samples, samples, ("a", "b")))
    assert isinstance(task, Classification)
    assert task.metrics[0].key == "balanced_error" and task.tie == "balanced_ce"
    assert all(metric.needs == "classes" for metric in task.metrics)
    assert task.watch(torch.eye(2), samples.all()) == {"balanced_error": 0.0}
