"""One's own data and model: dicts, Datasets and problems are taken as they are, faults are named."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from autobalance.common import InputError
from autobalance.data import DataOptions, Problem, Samples, load

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) + 7
Y = torch.arange(40) % 2
DATA = {"train": (X, Y), "test": (X[:10] + 1, Y[:10])}


def given(monkeypatch, returned):
    """The source whose function returns this."""
    module = types.ModuleType("my_own_data")
    module.samples = lambda: returned
    module.number = 3
    monkeypatch.setitem(sys.modules, "my_own_data", module)
    return "my_own_data:samples"


def test_a_function_in_the_working_directory_is_found(monkeypatch, tmp_path):
    (tmp_path / "found_here.py").write_text(
        "import numpy as np\n"
        "def samples():\n"
        "    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2\n"
        "    return {'train': (x, y), 'test': (x, y)}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert load("found_here:samples").name == "samples"


@pytest.mark.parametrize("kind", ["tensors", "arrays", "datasets"])
def test_floats_are_left_as_they_are_and_validation_is_split_off(monkeypatch, kind):
    convert = {
        "tensors": lambda x, y: (x, y),
        "arrays": lambda x, y: (x.numpy(), y.numpy()),
        "datasets": TensorDataset,
    }[kind]
    problem = load(
        given(monkeypatch, {part: convert(*pair) for part, pair in DATA.items()}), DataOptions(validation=0.5)
    )
    assert torch.equal(problem.test.x, DATA["test"][0])
    together = torch.cat([problem.train.x, problem.validation.x])
    assert len(problem.train) == 20 and torch.equal(together.sort(0).values, X.sort(0).values)


def test_validation_groups_names_and_a_model_are_used(monkeypatch):
    group = (torch.arange(40) // 2) % 2
    returned = {
        "train": (X, Y, group),
        "val": (X[:8], Y[:8], group[:8]),
        "test": (X[:12], Y[:12], group[:12]),
        "model": lambda: nn.Linear(3, 2),
        "class_names": ["no", "yes"],
    }
    state = torch.get_rng_state()
    problem = load(given(monkeypatch, returned))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(problem.validation.x, X[:8]) and torch.equal(problem.test.group, group[:12])
    assert problem.class_names == ("no", "yes") and isinstance(problem.make_model(), nn.Linear)


def test_images_of_bytes_are_standardised(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, size=(40, 4, 4, 3), dtype=np.uint8)
    problem = load(given(monkeypatch, {"train": (images, Y), "val": (images, Y), "test": (images, Y)}))
    by_hand = (images - images.mean((0, 1, 2))) / images.std((0, 1, 2))
    np.testing.assert_allclose(problem.test.x.permute(0, 2, 3, 1), by_hand, atol=1e-5)


def test_a_problem_is_handed_on(monkeypatch):
    part = Samples(X, Y)
    problem = Problem("own", part, part, part, ("a", "b"))
    assert load(given(monkeypatch, problem)) is problem
    with pytest.raises(InputError, match=r"`validation` .* has no effect .* there are validation samples already"):
        load(given(monkeypatch, problem), DataOptions(validation=0.3))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (7, "returns a int: it must return a Problem or a dict"),
        ({"train": (X, Y)}, "returns no 'test'"),
        (DATA | {"valid": (X, Y)}, "unknown key 'valid': the keys are train, val, test, model, class_names"),
        (DATA | {"train": X}, r"'train' must be \(x, y\)"),
        (DATA | {"train": (X.log() / 0, Y)}, r"x_train\[0, 0\] \(row 0\) is inf"),
        (DATA | {"test": (X, Y + 1)}, r"y_test\[1\] is 2"),
        (DATA | {"test": (X[:, :2], Y)}, r"samples of shape \(2,\) beside training samples of shape \(3,\)"),
        (DATA | {"test": TensorDataset(X)}, "the test Dataset must be"),
        (DATA | {"test": TensorDataset(X[:0], Y[:0])}, "the test Dataset is empty"),
        (DATA | {"class_names": ["a"]}, "class_names has 1 different names, but the labels have 2 classes"),
        (DATA | {"model": nn.Linear(3, 2)}, "must be a function that builds a fresh nn.Module"),
        (DATA | {"model": dict}, "builds a dict, not an nn.Module"),
        (DATA | {"model": lambda: nn.Linear(4, 2)}, r"fails on samples of shape \(3,\)"),
        (DATA | {"model": lambda: nn.Linear(3, 5)}, r"maps two samples to \(2, 5\), not to \(2, 2\) logits"),
        (Problem("own", Samples(X, Y.int()), Samples(X, Y), Samples(X, Y), ("a", "b")), "with int64 classes"),
        (Problem("own", Samples(X, Y), Samples(X, Y * 0), Samples(X, Y), ("a", "b")), "y_val has no sample of class 1"),
        (Problem("own", Samples(X, Y), Samples(X, Y), Samples(X, Y), ("a",)), "class_names has 1"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch, returned, message):
    with pytest.raises(InputError, match=message):
        load(given(monkeypatch, returned))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_module:f", "module 'no_such_module' of .* cannot be imported: No module named"),
        (":f", "module '' of :f cannot be imported"),
        ("my_own_data:absent", "module 'my_own_data' has no function 'absent'"),
        ("my_own_data:number", "module 'my_own_data' has no function 'number'"),
    ],
)
def test_functions_that_are_not_there(monkeypatch, source, message):
    given(monkeypatch, DATA)
    with pytest.raises(InputError, match=message):
        load(source)


def test_options_without_effect(monkeypatch):
    source = given(monkeypatch, DATA)
    with pytest.raises(InputError, match=r"`imbalance` 10 has no effect on my_own_data:samples"):
        load(source, DataOptions(imbalance=10))
    with pytest.raises(InputError, match="`target` y has no effect"):
        load(source, DataOptions(target="y"))


def test_group_names_are_taken_and_numbers_stand_in(monkeypatch):
    group = (torch.arange(40) // 2) % 2
    parts = {"train": (X, Y, group), "test": (X[:12], Y[:12], group[:12])}
    assert load(given(monkeypatch, parts | {"group_names": ["day", "night"]})).group_names == ("day", "night")
    assert load(given(monkeypatch, parts)).group_names == ("0", "1")
    samples = Samples(X, Y, group)
    assert load(given(monkeypatch, Problem("own", samples, samples, samples, ("a", "b")))).group_names == ("0", "1")
