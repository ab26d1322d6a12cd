"""The scripts on development problems: what they print follows from trainings that are done here once more."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.datasets import load_wine
from sklearn.metrics import f1_score, recall_score

from autobalance.bilevel import PredictionSpace
from autobalance.study import Changes, Desk, Result, named_method
from autobalance.tasks import outputs
from experiments import confidence, headroom, horizon, objectives, starts
from experiments.suite._case import open_case
from experiments.suite._plan import read_plan

PLAN = """\
problems:
  - {name: wine, data: wine.csv, target: y, samples: 40, tail: 8, model: linear, epochs: 3,
     batch_size: 16, lr: 0.01}
  - {name: sugar, data: diabetes, task: regression, model: linear, epochs: 4}
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("root")
    load_wine(as_frame=True).frame.rename(columns={"target": "y"}).to_csv(folder / "wine.csv", index=False)
    (folder / "plan.yaml").write_text(PLAN)
    return ["--problems", str(folder / "plan.yaml"), "--root", str(folder), "--out", str(folder / "out")]


def table(text: str) -> list[list[str]]:
    """The rows of a Markdown table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_headroom(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert headroom.main([*arguments, "--seeds", "1"]) == 0
    (name, plain, place, *figures), average = table(capsys.readouterr().out)
    assert (name, average[0]) == ("wine", "on average")
    best, by_error, by_objective = map(float, figures)
    assert best <= min(0.0, by_error, by_objective), "chosen by the judging samples themselves"
    folder = Path(arguments[1]).parent
    case, held_out = open_case(read_plan(folder / "plan.yaml", False, folder, "wine").problems[0], 0, "test")
    tau, decay = place.removeprefix("τ ").split(", × ")
    changes = Changes({"weight_decay": case.conditions.recipe.weight_decay * float(decay)})
    methods = [named_method("la"), replace(named_method("la").at({"tau": float(tau)}), recipe=changes)]
    own = [case.figure(case.judge(model, held_out)) for model in case.train(methods, case.everything)]
    assert float(plain) == pytest.approx(own[0], abs=0.006)
    assert best == pytest.approx(own[1] - own[0], abs=0.006)


def test_horizon(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert horizon.main([*arguments, "--steps", "2", "3"]) == 0
    text = capsys.readouterr().out
    rows = table(text)
    each = {row[1]: [float(value) for value in row[2:]] for row in rows if row[0] == "wine"}
    assert list(each) == list(horizon.NAMES) and {len(values) for values in each.values()} == {6}
    agreement = {row[0]: row[1:] for row in rows[len(horizon.NAMES) + 2 :]}
    assert list(agreement) == ["T = 2", "T = 3", "last third", "half as long", "last layer"]
    for place, found in enumerate(agreement.values()):
        for name, cell in zip(horizon.NAMES, found, strict=True):
            *_, whole = each[name]
            same = (each[name][place] > 0) == (whole > 0)
            assert cell.startswith(str(int(same))) or not cell


@pytest.mark.parametrize("main", [headroom.main, horizon.main])
def test_a_plan_that_is_missing(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--problems", "nowhere.yaml"]) == 2  # type: ignore[operator]
    assert capsys.readouterr().err.startswith("error: --problems: there is no file nowhere.yaml")


def test_more_steps_than_a_training_has(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert horizon.main([*arguments, "--steps", "500"]) == 2
    assert "error: `epochs` 3 leaves no room for a hypergradient" in capsys.readouterr().err


def test_objectives(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectives, "SEARCHES", {"prediction": PredictionSpace(2)})
    assert objectives.main([*arguments, "--seeds", "1"]) == 0
    rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows if row[0] == "wine"] == ["wine"] * 3
    plain = [float(row[1]) for row in rows if row[0] == "wine"]
    folder = Path(arguments[1]).parent
    case, held_out = open_case(read_plan(folder / "plan.yaml", False, folder, "wine").problems[0], 0, "test")
    (model,) = case.train([named_method("la")], case.everything)
    assert model is not None
    true, predicted = held_out.y, outputs(model, held_out).argmax(1)
    recalls = recall_score(true, predicted, average=None)
    weights = (case.everything.y.bincount() / true.bincount())[true]
    f1 = f1_score(true, predicted, average="macro", sample_weight=weights)
    expected = [100 * (1 - recalls.min()), 100 * (1 - f1), 100 * (1 - recalls.mean())]
    assert plain == pytest.approx(expected, abs=0.5), "each judging sample counts a whole number of times"
    assert plain[0] == pytest.approx(expected[0], abs=0.006)


def test_confidence(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Result] = []
    call = confidence.Handed.__call__

    def keep(self: confidence.Handed, desk: Desk) -> Result:
        kept.append(call(self, desk))
        return kept[-1]

    monkeypatch.setattr(confidence.Handed, "__call__", keep)
    assert confidence.main([*arguments, "--seeds", "1"]) == 0
    rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["worst_class", "macro_f1", "balanced_error"]
    for row in rows:
        changes = []
        for its in kept:
            plain, searched = its[row[0]]["figures"]
            changes.append(100 * (searched / plain - 1))
        assert float(row[1].split("%")[0]) == pytest.approx(sum(changes) / len(changes), abs=0.051)
        shares = [int(cell.split("(")[1].rstrip("%)")) for cell in row[1:]]
        assert shares[0] == 100 and shares == sorted(shares, reverse=True)


def test_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = "  - {name: NAME, data: diabetes, task: regression, model: linear, epochs: 2, batch_size: 128}\n"
    plan = tmp_path / "plan.yaml"
    plan.write_text("problems:\n" + entry.replace("NAME", "one"))
    given = ["--problems", str(plan), "--out", str(tmp_path / "out"), "--seeds", "1", "--folds", "2"]
    assert starts.main(given) == 2 and "portfolios are grown on all but one" in capsys.readouterr().err
    plan.write_text("problems:\n" + entry.replace("NAME", "one") + entry.replace("NAME", "two"))
    assert starts.main(given) == 0
    told = capsys.readouterr().out
    assert [row[0] for row in table(told)] == ["balanced_mae", "worst_bin", "few_shot_mae", "gm"]
    # both problems are the same one, so what is grown on one is right for the other: nothing gets worse by more starts
    grown = told.splitlines()[-1].removeprefix("Grown on all: ").split("; ")
    assert grown[0] == "sqinv, decay × 1" and len(set(grown)) == 6


def test_portfolios_grow_by_what_helps_most() -> None:
    growing = starts.Growing("plain", ("a",))
    # held out, judged: "lucky" looks best on what is held out and is not, "good" is
    figures = {"plain": {"a": (10, 10)}, "good": {"a": (8, 8)}, "lucky": {"a": (5, 20)}, "same": {"a": (10, 10)}}
    assert growing.grown([figures], 2) == ["plain", "good", "same"]
    assert growing.mean_change([figures], ["plain", "good"], ("a",)) == pytest.approx(math.log(0.8))
    assert growing.mean_change([figures], ["plain", "good", "lucky"], ("a",)) == pytest.approx(math.log(2))
