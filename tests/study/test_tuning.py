"""Tuning: the first values first, the best of the trials, and the same trials after an interruption."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fresh import printed

from autobalance.common import InputError
from autobalance.losses.named import Range
from autobalance.study import Desk, Listed, Proposals, Sampled, best, cma_es, seeded_tpe, tpe, tune

RANGES = {"x": Range(-4.0, 4.0), "size": Range(0.01, 10.0, "log"), "share": Range(0.9, 0.999, "to-one"),
          "width": Range(3, 9, "odd")}  # fmt: skip
FIRST = {"x": 3.0, "size": 1.0, "share": 0.99, "width": 5}


def bowl(number: int, asked: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"score": (its["x"] - 1) ** 2 + (its["size"] - 2) ** 2, "number": number} for its in asked]


MAKERS: list[Callable[[], Proposals]] = [
    lambda: Sampled(RANGES, FIRST, tpe(3, 3)),
    lambda: Sampled(RANGES, FIRST, seeded_tpe("la", 3, 3)),
    lambda: Sampled(RANGES, FIRST, cma_es(3, 4)),
    lambda: Listed([{"x": float(number), "size": 2.0} for number in range(9)]),
]


@pytest.mark.parametrize("make", MAKERS)
def test_tuning_that_is_interrupted_ends_as_one_that_is_not(make: Callable[[], Proposals]) -> None:
    kept: list[Any] = []
    (whole,) = tune([make()], 9, bowl, Desk(keep=lambda state: kept.append([list(its) for its in state])))
    assert [trial["number"] for trial in whole] == list(range(9)) and len(kept) == 9
    tried: list[int] = []

    def counted(number: int, asked: Sequence[Any]) -> list[dict[str, Any]]:
        tried.append(number)
        return bowl(number, asked)

    assert tune([make()], 9, counted, Desk(kept=kept[4])) == [whole]
    assert tried == [5, 6, 7, 8]
    assert best(whole) == min(whole, key=lambda trial: trial["score"])


def test_the_first_values_are_tried_exactly_and_the_others_lie_in_their_ranges() -> None:
    (trials,) = tune([Sampled(RANGES, FIRST, tpe(0, 3))], 12, bowl, Desk())
    assert trials[0]["values"] == FIRST
    for trial in trials[1:]:
        values = trial["values"]
        assert all(RANGES[name].low <= values[name] <= RANGES[name].high for name in RANGES)
        assert values["width"] % 2 == 1 and isinstance(values["width"], int)
    assert len({str(trial["values"]) for trial in trials}) == 12


def test_a_first_value_outside_widens_its_range() -> None:
    (trials,) = tune([Sampled({"x": Range(0.0, 1.0)}, {"x": 5.0}, tpe(0, 20))], 15, lambda n, asked: [
        {"score": -asked[0]["x"]}], Desk())  # fmt: skip
    assert trials[0]["values"] == {"x": 5.0} and any(1 < trial["values"]["x"] < 5 for trial in trials[1:])


def test_several_are_tuned_side_by_side() -> None:
    together = tune([make() for make in MAKERS[:3]], 5, bowl, Desk())
    assert together == [tune([make()], 5, bowl, Desk())[0] for make in MAKERS[:3]]


def test_a_trial_that_leads_to_nothing_is_not_the_best() -> None:
    def half(number: int, asked: Sequence[Any]) -> list[dict[str, Any]]:
        return [{"score": None if number % 2 == 0 else its["x"]} for its in asked]

    (trials,) = tune([Sampled({"x": Range(0.0, 1.0)}, {"x": 0.0}, tpe(0, 3))], 6, half, Desk())
    assert best(trials)["score"] == min(trial["score"] for trial in trials[1::2])


def test_kept_trials_that_would_not_be_proposed_are_refused() -> None:
    kept = [[{"values": {"x": 0.3}, "score": 1.0}]]
    with pytest.raises(InputError, match="another release of Optuna"):
        tune([Sampled({"x": Range(0.0, 1.0)}, {"x": 0.5}, tpe(0, 3))], 2, bowl, Desk(kept=kept))


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'autobalance\[tune\]'"):
        Sampled({"x": Range(0.0, 1.0)}, {"x": 0.5}, lambda number: None)  # type: ignore[arg-type, return-value]


def test_the_study_is_imported_without_what_only_some_of_it_needs() -> None:
    code = "import sys, autobalance.study, autobalance.compare, autobalance.study.report\n"
    code += (
        "print([name for name in ('optuna', 'scipy', 'pandas', 'distributed', 'matplotlib') if name in sys.modules])"
    )
    assert printed(code) == "[]\n"
