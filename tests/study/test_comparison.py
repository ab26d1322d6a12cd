"""Tuning: on validation samples alone, the papers' values first, the same number of trials for each method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from make_comparison import compare, without_costs

from autobalance.bilevel import OuterLoop
from autobalance.data import Samples
from autobalance.losses.named import hyper_parameters
from autobalance.study import Conditions, Method

pytestmark = pytest.mark.usefixtures("no_figure")


@pytest.mark.parametrize("folds", [1, 3])
def test_never_sees_test_samples(folds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Conditions, Samples, Samples]] = []
    plain = Conditions.train_and_judge

    def spy(self: Conditions, method: Method, parts: Any, *more: Any) -> Any:
        seen.extend((self, *part) for part in parts)
        return plain(self, method, parts, *more)

    monkeypatch.setattr(Conditions, "train_and_judge", spy)
    budget = ["--tune", "3", "--tune-folds", str(folds)]
    compare(tmp_path / "run", "--losses", "la,ldam-drw", "--seeds", "1", *budget)
    assert len(seen) == 6 + 2, "the budget is of trainings"
    tested = [samples for conditions, _, samples in seen if len(conditions.setting.problem.test)]
    assert len(tested) == 2
    test = {tuple(x.flatten().tolist()) for x in tested[0].x}
    assert len(test) > 490
    for conditions, trained_on, judges in seen:
        problem = conditions.setting.problem
        if len(problem.test):
            continue
        for samples in (trained_on, judges, problem.train, problem.validation):
            assert not any(tuple(x.flatten().tolist()) in test for x in samples.x)
        assert not torch.isin(trained_on.x.flatten(1).sum(1), judges.x.flatten(1).sum(1)).all()


def test_folds_cost_trainings_and_searches_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--losses", "la,ce", "--include-search", "--tune", "7", "--tune-folds", "3", "--seeds", "1"]
    results = compare(tmp_path / "run", *arguments, "--epochs", "8")
    tuning = {name: content["tuning"] for name, content in results["methods"].items()}
    assert {name: its and (len(its["trials"]), its["trainings"]) for name, its in tuning.items()} == {
        "la": (2, 6),
        "ce": None,
        "autobalance": (1, 5),
    }
    assert "; model linear; 3 methods, 14 trainings" in capsys.readouterr().err
    assert "2 trials of 3 trainings" in (tmp_path / "run" / "table.md").read_text()


def test_first_trial_is_the_papers_and_the_best_is_used(tmp_path: Path) -> None:
    results = compare(tmp_path / "run", "--losses", "ce,ldam-drw,ce+drw", "--seeds", "1", "--tune", "4")
    assert results["methods"]["ce"]["tuning"] is None
    assert "having nothing to tune: ce." in (tmp_path / "run" / "table.md").read_text()
    for name in ("ldam-drw", "ce+drw"):
        content = results["methods"][name]
        trials = content["tuning"]["trials"]
        assert len(trials) == 4
        best = min(trials, key=lambda t: (t["validation_balanced_error"], t["validation_balanced_ce"]))
        assert content["hyper"] == best["hyper"]
        assert len({str(trial["hyper"]) for trial in trials}) == 4
    first = results["methods"]["ldam-drw"]["tuning"]["trials"][0]["hyper"]
    assert first == hyper_parameters("ldam-drw")


def test_recipe_is_tuned_when_asked(tmp_path: Path) -> None:
    results = compare(tmp_path / "run", "--losses", "ce", "--seeds", "1", "--tune", "3", "--tune-recipe", "--lr", "0.5")
    trials = results["methods"]["ce"]["tuning"]["trials"]
    assert trials[0]["recipe"] == {"lr": 0.5, "weight_decay": 5e-4}
    assert len({trial["recipe"]["lr"] for trial in trials}) == 3


def test_same_seed_same_table(tmp_path: Path) -> None:
    arguments = ["--losses", "la,vs,equalization", "--seeds", "2", "--tune", "3", "--seed", "3"]
    first, second = (compare(tmp_path / name, *arguments) for name in ("a", "b"))
    assert without_costs(first) == without_costs(second)
    assert first["seeds"] == [3, 4]


def test_search_and_loss_file_are_rows(tmp_path: Path) -> None:
    searched = tmp_path / "loss.json"
    from autobalance.losses import save_loss
    from autobalance.losses.named import fixed_point

    loss = fixed_point("la", [128, 99, 76, 59, 46, 35, 27, 21, 16, 12])
    save_loss(loss, searched)  # type: ignore[arg-type]
    arguments = ["--losses", "la", "--searched", str(searched), "--include-search", "--tune", "10", "--seeds", "1"]
    results = compare(tmp_path / "run", *arguments, "--epochs", "8")
    assert list(results["methods"]) == ["la", "searched", "autobalance"]
    assert len(results["methods"]["autobalance"]["tuning"]["trials"]) == 2
    assert set(results["methods"]["autobalance"]["hyper"]) == {"outer_lr", "warmup"}


def test_a_search_without_tuning_is_one_search(tmp_path: Path) -> None:
    results = compare(tmp_path / "run", "--losses", "la", "--include-search", "--seeds", "1", "--epochs", "8")
    assert results["methods"]["la"]["tuning"] is None
    content = results["methods"]["autobalance"]
    assert len(content["tuning"]["trials"]) == 1
    outer = OuterLoop()
    assert content["hyper"] == {"outer_lr": outer.lr, "warmup": outer.warmup}
    assert "one search" in (tmp_path / "run" / "table.md").read_text()


def test_searched_la_is_la(tmp_path: Path) -> None:
    from autobalance.losses import save_loss
    from autobalance.losses.named import fixed_point

    counts = compare(tmp_path / "a", "--losses", "la", "--seeds", "2")["class_counts"]
    save_loss(fixed_point("la", counts), tmp_path / "loss.json")  # type: ignore[arg-type]
    results = compare(tmp_path / "b", "--losses", "la", "--searched", str(tmp_path / "loss.json"), "--seeds", "2")
    errors = [[run["class_error"] for run in content["runs"]] for content in results["methods"].values()]
    assert errors[0] == errors[1]
