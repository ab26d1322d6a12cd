"""Numbers to predict from .npz files and from one's own function."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from autobalance.common import InputError
from autobalance.data import DataOptions, Problem, Samples, load

RNG = np.random.default_rng(0)
X, Y = RNG.normal(3, 2, size=(80, 4)), RNG.exponential(2.0, size=80)
ARRAYS = {"x_train": X[:60], "y_train": Y[:60], "x_test": X[60:], "y_test": Y[60:]}


def saved(path, **changed):
    np.savez(path / "mine.npz", **{**ARRAYS, **changed})
    return str(path / "mine.npz")


def given(monkeypatch, returned):
    module = types.ModuleType("my_numbers")
    module.problem = lambda: returned
    monkeypatch.setitem(sys.modules, "my_numbers", module)
    return "my_numbers:problem"


def test_arrays_with_float_targets(tmp_path):
    problem = load(saved(tmp_path), DataOptions(task="regression", bins=4))
    assert [len(part) for part in (problem.train, problem.validation, problem.test)] == [48, 12, 20]
    assert problem.num_outputs == 1 and problem.num_classes == 4 and problem.train.y.dtype == torch.float32
    np.testing.assert_allclose(problem.test.y, Y[60:], rtol=1e-6)
    for part in (problem.train, problem.validation):  # every target stays with its own inputs
        near = np.abs(part.y.double().numpy()[:, None] - Y[:60]).argmin(1)
        column = part.x[:, 0].double().numpy()
        assert np.corrcoef(column, X[near, 0])[0, 1] == pytest.approx(1)
    assert problem.train.x.mean(0).abs().max() < 1e-5


def test_own_validation_and_images_of_bytes(tmp_path):
    images = RNG.integers(0, 256, size=(80, 6, 5, 3), dtype=np.uint8)
    path = saved(tmp_path, x_train=images[:60], x_test=images[60:], x_val=images[:9], y_val=np.arange(9))
    problem = load(path, DataOptions(task="regression"))
    assert problem.validation.y.tolist() == list(range(9)) and problem.train.x.shape == (60, 3, 6, 5)
    assert len(problem.final_training) == 60
    with pytest.raises(InputError, match=r"`validation` .* has no effect .* there are validation samples already"):
        load(path, DataOptions(task="regression", validation=0.5))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"y_train": np.where(np.arange(60) == 7, np.nan, 1.0)}, r"y_train\[7\] is nan"),
        ({"y_train": np.ones(60)}, "y_train is constant, always 1"),
        ({"y_train": np.ones((60, 1))}, r"y_train has shape \(60, 1\), not \(60,\)"),
        ({"y_test": np.array(["a"] * 20)}, "y_test holds <U1, not numbers"),
        ({"group_train": np.arange(60) % 2}, "group_train has no effect on a regression"),
        ({"x_train": np.where(X[:60] > 5, np.inf, X[:60])}, r"x_train\[\d+, \d\] .* is inf"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, changed, words):
    with pytest.raises(InputError, match=words):
        load(saved(tmp_path, **changed), DataOptions(task="regression"))


def test_an_imbalance_has_no_effect(tmp_path):
    with pytest.raises(InputError, match="`imbalance` 10 has no effect"):
        load(saved(tmp_path), DataOptions(task="regression", imbalance=10))


@pytest.mark.parametrize("flat", [False, True])
def test_a_function_brings_data_and_a_model(monkeypatch, flat):
    model = nn.Sequential(nn.Linear(4, 1), *([nn.Flatten(0)] if flat else []))
    returned = {"train": (X[:60], Y[:60]), "test": (X[60:], Y[60:]), "model": lambda: model}
    problem = load(given(monkeypatch, returned), DataOptions(task="regression", bins=5))
    np.testing.assert_allclose(problem.test.x, X[60:], rtol=1e-6)
    assert problem.make_model is not None and problem.num_classes == 5


def test_a_problem_with_bins_of_its_own_is_handed_on(monkeypatch):
    part = Samples(torch.from_numpy(X).float(), torch.from_numpy(Y).float())
    problem = Problem("own", part, part, part, ("low", "high"), bin_edges=(0.0, 1.0, 9.0))
    assert load(given(monkeypatch, problem), DataOptions(task="regression")) is problem
    with pytest.raises(InputError, match="has bin_edges: it needs `task` regression"):
        load(given(monkeypatch, problem))
    with pytest.raises(InputError, match="`bins` 3 has no effect"):
        load(given(monkeypatch, problem), DataOptions(task="regression", bins=3))


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ({"model": lambda: nn.Linear(4, 2)}, r"maps two samples to \(2, 2\), not to \(2, 1\) numbers"),
        ({"class_names": ["a"]}, "unknown key 'class_names': the keys are train, val, test, model$"),
        ({"test": (X[60:], Y[60:], np.zeros(20, int))}, "group_test has no effect"),
        (
            Problem("own", *[Samples(torch.ones(9, 2), torch.arange(9) % 2)] * 3, ("a", "b")),
            "classes: it needs bin_edges",
        ),
    ],
)
def test_what_a_function_may_not_return(monkeypatch, returned, words):
    if isinstance(returned, dict):
        returned = {"train": (X[:60], Y[:60]), "test": (X[60:], Y[60:])} | returned
    with pytest.raises(InputError, match=words):
        load(given(monkeypatch, returned), DataOptions(task="regression"))
