"""The report through fairlearn against counts by hand."""

import sys

import pytest
import torch

from autobalance.common import InputError
from autobalance.tasks import fairness_report

#           class 0, group a (4)   class 0, b (2)   class 1, a (2)   class 1, b (4)
Y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
G = torch.tensor([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1])
FOUND = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1])


def test_figures_by_hand():
    report = fairness_report(FOUND, Y, G, ("no", "yes"), ("a", "b"))
    assert report.by_group.by_group.to_dict() == pytest.approx({"a": 100 * 2 / 6, "b": 100 * 2 / 6})
    assert report.by_group.overall == pytest.approx(100 * 4 / 12)
    cells = {key: value for key, value in report.by_cell.by_group.to_dict().items()}
    assert cells == pytest.approx({("no", "a"): 25, ("no", "b"): 100, ("yes", "a"): 50, ("yes", "b"): 0})
    assert report.worst_cell == ("no", "b", 100.0)
    assert report.demographic_parity == pytest.approx(100 * (6 / 6 - 2 / 6))  # how often yes is predicted
    assert report.equalised_odds == pytest.approx(75)  # the larger of 100 - 25 and 50 - 0


def test_of_three_classes_each_is_held_against_the_others():
    y, group = torch.arange(3).repeat(4), torch.arange(2).repeat_interleave(6)
    found = y.clone()
    found[(y == 2) & (group == 1)] = 0
    report = fairness_report(found, y, group, "abc", "no")
    assert report.demographic_parity == pytest.approx(100 / 3)
    assert report.equalised_odds == pytest.approx(100)
    assert report.worst_cell == ("c", "o", 100.0)


def test_without_fairlearn_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fairlearn", None)
    with pytest.raises(InputError, match=r"pip install 'autobalance\[fair\]'"):
        fairness_report(FOUND, Y, G, ("no", "yes"), ("a", "b"))
