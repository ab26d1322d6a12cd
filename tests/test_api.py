"""The public names of the package, and what importing them does not import."""

import inspect
import subprocess
import sys

import pytest
from fresh import printed

import autobalance
from autobalance.data.augmentation import Policy, save_augmentation

NAMES = {
    "AutoBalanceClassifier",
    "AutoBalanceRegressor",
    "FDS",
    "InputError",
    "OuterLoop",
    "ParametricLoss",
    "Recipe",
    "Replay",
    "SearchResult",
    "TrainedModel",
    "Unrolled",
    "fixed_point",
    "fixed_points",
    "load_augmentation",
    "lds_weights",
    "load_loss",
    "load_model",
    "save_loss",
    "search_loss",
}
UNWANTED = {"higher", "optuna", "torchvision", "pandas", "matplotlib", "rich", "sklearn", "yaml"}
ROOMS = {f"autobalance.{name}" for name in ("bilevel", "cli", "training", "hypergradients", "study", "tasks")}


def test_the_public_names_are_there():
    assert NAMES <= set(autobalance.__all__) <= set(dir(autobalance))
    for name in autobalance.__all__:
        assert getattr(autobalance, name).__module__.startswith("autobalance."), name
    assert autobalance.__version__


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="module 'autobalance' has no attribute 'loss'"):
        _ = autobalance.loss


@pytest.mark.parametrize("first", ("autobalance.SearchResult", "import_module('autobalance.bilevel._search_loss')"))
def test_the_search_is_a_function_whatever_was_imported_before(first):
    code = f"from importlib import import_module; import autobalance; {first}; print(callable(autobalance.search_loss))"
    assert printed(code).strip() == "True"


def test_no_public_function_has_the_name_of_a_module():
    modules = {name for name, _ in inspect.getmembers(autobalance, inspect.ismodule)}
    assert not modules & set(autobalance.__all__)


def test_loading_a_loss_imports_none_of_the_search(tmp_path):
    path = tmp_path / "loss.json"
    autobalance.save_loss(autobalance.fixed_point("la", [3, 1]), path)
    code = f"import sys, autobalance; autobalance.load_loss({str(path)!r}); print(*sys.modules)"
    loaded = set(printed(code).split())
    assert "autobalance.losses" in loaded and not loaded & (UNWANTED | ROOMS)


def test_loading_an_augmentation_imports_none_of_the_search(tmp_path):
    path = tmp_path / "augmentation.json"
    save_augmentation(Policy("table", {"noise": [0.1]}, {"noise": [0.5]}), path)
    code = f"import sys, autobalance; autobalance.load_augmentation({str(path)!r}); print(*sys.modules)"
    loaded = set(printed(code).split())
    assert "autobalance.data.augmentation" in loaded and not loaded & (UNWANTED | ROOMS)


def test_importing_the_package_imports_no_torch():
    code = "import sys, autobalance; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
