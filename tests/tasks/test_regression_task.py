"""Metrics of predicted numbers against statements by hand and plain loops."""

import math
import statistics

import pytest
import torch

from autobalance.common import InputError
from autobalance.data import Problem, Samples
from autobalance.tasks import Regression, task_of

EDGES = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
COUNTS = torch.tensor([101, 100, 20, 19])
TARGET = [0.5, 0.2, 1.5, 1.1, 2.5, 3.5, 9.0, -1.0]
PREDICTION = [0.0, 0.5, 1.5, 2.1, 0.5, 3.0, 5.0, 1.0]
BINS = [0, 0, 1, 1, 2, 3, 3, 0]
ERRORS = [0.5, 0.3, 0.0, 1.0, 2.0, 0.5, 4.0, 2.0]


def figures_of(prediction, target, shots=None):
    samples = Samples(torch.zeros(len(target), 1), torch.tensor(target))
    problem = Problem("made up", samples, samples, samples, tuple("abcd"), bin_edges=tuple(EDGES.tolist()))
    task = task_of(problem, shots)
    assert isinstance(task, Regression) and task.metrics[0].key == "balanced_mae"
    return task.test(torch.tensor(prediction)[:, None], samples, COUNTS)


def found(shots=None):
    return figures_of(PREDICTION, TARGET, shots)


def three(errors):
    gm = math.prod(e or 1e-10 for e in errors) ** (1 / len(errors))
    return {"mae": statistics.fmean(errors), "mse": statistics.fmean(e * e for e in errors), "gm": gm}


def of_bins(*bins):
    return [e for e, b in zip(ERRORS, BINS, strict=True) if b in bins]


def test_over_all_samples():
    for name, value in three(ERRORS).items():
        assert found()[name] == pytest.approx(value, rel=1e-5)


def test_over_bins():
    means = [statistics.fmean(of_bins(b)) for b in range(4)]
    assert found()["bin_mae"] == pytest.approx(means, rel=1e-6)
    assert found()["balanced_mae"] == pytest.approx(statistics.fmean(means), rel=1e-6)


def test_bins_without_test_samples_do_not_count():
    few = figures_of([0.0, 4.0], [0.5, 3.5])
    assert few["bin_mae"] == [0.5, None, None, 0.5] and few["balanced_mae"] == 0.5
    assert few["shots"]["medium"] == {"mae": None, "mse": None, "gm": None, "samples": 0}


@pytest.mark.parametrize(
    "thresholds, parts",
    [((100, 20), ([0], [1, 2], [3])), ((99, 99), ([0, 1], [], [2, 3])), ((200, 0), ([], [0, 1, 2, 3], []))],
)
def test_over_shots(thresholds, parts):
    shots = found(shots=thresholds)["shots"]
    for name, bins in zip(("many", "medium", "few"), parts, strict=True):
        errors = of_bins(*bins)
        assert shots[name]["samples"] == len(errors)
        for key, value in (three(errors) if errors else dict.fromkeys(("mae", "mse", "gm"))).items():
            assert shots[name][key] == (value if value is None else pytest.approx(value, rel=1e-5))


def test_thresholds_out_of_order():
    with pytest.raises(InputError, match=r"`shots` are \(20, 100\)"):
        found(shots=(20, 100))


def test_correlations():
    x, y = PREDICTION, TARGET
    assert found()["pearson"] == pytest.approx(statistics.correlation(x, y), rel=1e-6)
    ranks = [[sum(v < u for v in part) + sum(v == u for v in part) / 2 for u in part] for part in (x, y)]
    assert found()["spearman"] == pytest.approx(statistics.correlation(*ranks), rel=1e-6)
    constant = figures_of([1.0] * 3, [0.0, 1.0, 2.0])
    assert constant["pearson"] is None and constant["spearman"] is None
