"""Losses by name, and a loss that is registered from outside the package."""

import pytest
import torch
from run_case import read, search, write_data

from autobalance import fixed_point, fixed_points
from autobalance.common import InputError
from autobalance.losses import ParametricLoss
from autobalance.losses.named import (
    NamedLoss,
    Range,
    family_member,
    hyper_parameters,
    named_loss,
    named_losses,
    register,
    unregister,
)
from autobalance.study.report import results_table


def root_la(class_counts, power=0.5):
    """l_k = log n_k^power."""
    return {"l": power * torch.log(class_counts)}


@pytest.fixture
def mine():
    yield register(
        NamedLoss(
            "root-la", "my logit adjustment", "classes", family_member(root_la), ranges={"power": Range(0.0, 2.0)}
        )
    )
    unregister("root-la")


def test_unknown_names():
    for ask in (named_loss, hyper_parameters, unregister):
        with pytest.raises(InputError, match="no fixed loss is called 'x'; there are ce, weighted"):
            ask("x")


def test_names_by_index():
    by_index = [named_losses(index) for index in ("classes", "cells", "bins")]
    assert [name for names in by_index for name in names] == list(named_losses())
    assert all(named_loss(name) is loss for names in by_index for name, loss in names.items())


def test_a_name_is_given_once(mine):
    with pytest.raises(InputError, match="a loss called root-la is registered already"):
        register(mine)


def test_a_loss_from_outside_is_built_as_the_others_are(mine):
    assert fixed_points()[-1] == "root-la" and hyper_parameters("root-la") == {"power": 0.5}
    loss = fixed_point("root-la", [16, 4, 1], power=0.25, weight=[1.0, 2.0, 3.0], dtype=torch.float64)
    assert isinstance(loss, ParametricLoss) and loss.w.tolist() == [1, 2, 3]
    torch.testing.assert_close(loss.l.exp(), torch.tensor([2.0, 2**0.5, 1.0], dtype=torch.float64))
    with pytest.raises(InputError, match="root-la has no hyper-parameter 'tau'; it has power"):
        fixed_point("root-la", [16, 4, 1], tau=1.0)


def test_a_loss_that_was_unregistered_is_unknown_again(mine):
    unregister("root-la")
    with pytest.raises(InputError, match="'root-la'"):
        fixed_point("root-la", [3, 2])
    register(mine)


def test_a_search_starts_from_a_loss_from_outside_and_has_it_for_a_candidate_and_a_baseline(mine, tmp_path, no_page):
    data = write_data(tmp_path / "data.npz")
    choice = ("--confidence", "0.9", "--folds", "2", "--seeds", "1")
    asked = ("--start", "root-la", "--baselines", "ce,root-la", "--candidates", "ce,root-la", *choice)
    assert search(data, tmp_path / "run", *asked) == 0
    result = read(tmp_path / "run")
    assert {"searched", "ce", "root-la"} <= set(result["test"]) and result["best_fixed"] in ("ce", "root-la")
    rows = list(results_table(result).columns[0].cells)
    assert any("my logit adjustment" in str(cell) for cell in rows)
