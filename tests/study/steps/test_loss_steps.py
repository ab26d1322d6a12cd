"""Steps that change the loss: group DRO around any, and label-aware smoothing."""

from __future__ import annotations

import pytest
import torch
from step_cases import training_of, vectors

from autobalance.common import InputError
from autobalance.data import load
from autobalance.losses import CSL, GroupDRO, LabelAware
from autobalance.losses.named import fixed_point
from autobalance.study import named_method
from autobalance.training import Setting, setting_of

COUNTS = [100] * 9 + [10]


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


def test_group_dro_is_around_the_loss_and_its_other_steps(setting: Setting) -> None:
    for name in ("la+group-dro+drw", "la+drw+group-dro", "la+group-dro+csl"):
        method, training = training_of(setting, name, vectors(COUNTS), dro_eta=0.2, dro_adjustment=0.5)
        loss = method.loss_of(training)
        assert isinstance(loss, GroupDRO) and (loss.eta, loss.adjustment) == (0.2, 0.5)
        assert loss.counts.tolist() == COUNTS
    assert isinstance(loss.base, CSL)


def test_group_dro_of_cross_entropy_is_that_of_the_name() -> None:
    grouped = setting_of(load("digits-groups"), "mlp")
    method, training = training_of(grouped, "ce+group-dro", dro_eta=0.3)
    loss, named = method.loss_of(training), fixed_point("group-dro", cell_counts=training.counts, eta=0.3)
    z, y, group = torch.randn(30, 2), torch.arange(30) % 2, torch.arange(30) // 15
    for _ in range(3):
        torch.testing.assert_close(loss(z, y, group=group), named(z, y, group=group))
    table, training = training_of(grouped, "group-la+group-dro")
    assert table.loss_of(training).num_groups == 2


def test_labels_are_smoothed_with_the_steps_numbers(setting: Setting) -> None:
    method, training = training_of(setting, "la+las", vectors(COUNTS), las_head=0.4, las_tail=0.05)
    loss = method.loss_of(training)
    assert isinstance(loss, LabelAware)
    assert loss.smoothed.diagonal().tolist() == pytest.approx([0.6] * 9 + [0.95])
    for name, words in (("csl+las", "not for CSL"), ("ce+las+csl", "not LabelAware")):
        with pytest.raises(InputError, match=words):
            named_method(name).check(setting, training.recipe)
