"""Metrics of predicted numbers against statements by hand and plain loops."""

import math
import statistics

import pytest
import torch

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks import regression_metrics
from autobalance.tasks.objectives import GM_FLOOR, REGRESSION_NAMES, make_regression_objective

EDGES = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
COUNTS = torch.tensor([101, 100, 20, 19])
TARGET = [0.5, 0.2, 1.5, 1.1, 2.5, 3.5, 9.0, -1.0]
PREDICTION = [0.0, 0.5, 1.5, 2.1, 0.5, 3.0, 5.0, 1.0]
BINS = [0, 0, 1, 1, 2, 3, 3, 0]
ERRORS = [0.5, 0.3, 0.0, 1.0, 2.0, 0.5, 4.0, 2.0]


def found(**more):
    return regression_metrics(torch.tensor(PREDICTION), torch.tensor(TARGET), EDGES, COUNTS, **more)


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
    few = regression_metrics(torch.tensor([0.0, 4.0]), torch.tensor([0.5, 3.5]), EDGES, COUNTS)
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
    with pytest.raises(InputError, match=r"shots are \(20, 100\)"):
        found(shots=(20, 100))


def test_correlations():
    x, y = PREDICTION, TARGET
    assert found()["pearson"] == pytest.approx(statistics.correlation(x, y), rel=1e-6)
    ranks = [[sum(v < u for v in part) + sum(v == u for v in part) / 2 for u in part] for part in (x, y)]
    assert found()["spearman"] == pytest.approx(statistics.correlation(*ranks), rel=1e-6)
    constant = regression_metrics(torch.ones(3), torch.tensor([0.0, 1.0, 2.0]), EDGES, COUNTS)
    assert constant["pearson"] is None and constant["spearman"] is None


@pytest.mark.parametrize("name", REGRESSION_NAMES)
def test_objectives_are_the_metrics_and_can_be_differentiated(name):
    target = torch.tensor(TARGET, dtype=torch.float64)
    prediction = torch.tensor(PREDICTION, dtype=torch.float64) + 0.01
    objective = make_regression_objective(name, EDGES, 2.0)

    def value(f):
        return objective(f[:, None], Batch(torch.empty(8, 0), target))

    errors = [abs(f - y) for f, y in zip(prediction.tolist(), TARGET, strict=True)]
    if name == "gm":
        expected = math.prod(math.hypot(e, GM_FLOOR * 2) for e in errors) ** (1 / 8)
    elif name == "balanced_mae":
        expected = regression_metrics(prediction, target, EDGES, COUNTS)["balanced_mae"]
    else:
        expected = three(errors)[name]
    assert value(prediction).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(value, prediction.requires_grad_())


def test_objectives_by_other_names():
    def own(prediction, target, group):
        assert group is None
        return (prediction * target).sum()

    objective = make_regression_objective(own, EDGES, 1.0)
    batch = Batch(torch.zeros(2, 1), torch.tensor([1.0, 2.0]))
    assert objective(torch.tensor([3.0, 4.0]), batch).item() == 11
    with pytest.raises(InputError, match="'error'; for regression there are balanced_mae, mae, mse, gm"):
        make_regression_objective("error", EDGES, 1.0)
