"""Paired tests, and their correction for many, by hand."""

from __future__ import annotations

import pytest

from autobalance.study import against_best, holm, mean_and_std, paired_p


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_no_test_where_there_is_nothing_to_test() -> None:
    assert paired_p([1.0], [2.0]) is None
    assert paired_p([1.0, 2.0], [1.0, 2.0]) == 1.0
    assert paired_p([2.0, 3.0], [1.0, 2.0]) is None
    assert against_best({"a": [1.0], "b": [2.0]}) == ("a", {"a": None, "b": None})


def test_mean_and_std() -> None:
    assert mean_and_std([1.0, 2.0]) == {"mean": 1.5, "std": pytest.approx(0.5**0.5)}
    assert mean_and_std([1.0, None]) == {"mean": None, "std": None}
    assert mean_and_std([]) == {"mean": None, "std": None}
    assert mean_and_std([1.0]) == {"mean": 1.0, "std": None}
