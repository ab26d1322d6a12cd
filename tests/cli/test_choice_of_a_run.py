"""The last word of a run: the searched loss, or a fixed one that it did not beat on held-out samples."""

import json
from pathlib import Path

import pytest
import torch
from run_case import OPTIONS, read, same_run, search, write_data
from sklearn.metrics import balanced_accuracy_score

from autobalance.bilevel import choose
from autobalance.cli import _run
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._config import parse
from autobalance.cli._plan import checked_plan
from autobalance.losses import load_loss
from autobalance.losses.named import fixed_point
from autobalance.tasks import outputs
from autobalance.training import train

CHOOSING = [*OPTIONS[:-2], "--candidates", "ce"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(autouse=True)
def no_table(monkeypatch, no_page):
    monkeypatch.setattr("autobalance.study.report.results_table", lambda result: "")


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("chosen") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "write_report", lambda directory: None)
        patch.setattr("autobalance.study.report.results_table", lambda result: "")
        assert search(data, out, options=CHOOSING) == 0
    return out


def test_the_result_says_what_was_chosen_and_how_sure_that_is(done):
    result = read(done)
    assert set(result["held_out"]) == {"searched", "la", "ce"} and result["best_fixed"] in ("la", "ce")
    assert result["chosen"] == ("searched" if result["confidence"] >= 0.8 else result["best_fixed"])
    assert result["margin"] == pytest.approx(result["held_out"][result["best_fixed"]] - result["held_out"]["searched"])
    assert result["interval"][0] <= result["interval"][1] and 0 <= result["confidence"] <= 1
    cost = result["cost"]
    total = cost["search_seconds"] + cost["choice_seconds"]
    assert cost["choice_seconds"] > 0 and cost["total_ratio"] == pytest.approx(total / cost["train_seconds"])


def test_the_held_out_errors_are_those_of_models_that_never_saw_the_samples(data, done):
    checked = checked_plan(parse(["--data", str(data), *CHOOSING])[0])
    pool = checked.setting.pool
    assert sorted(torch.cat([held for _, held in checked.splits]).tolist()) == list(range(len(pool)))
    predictions = torch.zeros(len(pool), dtype=torch.int64)
    for rest, held in checked.splits:
        assert not set(rest.tolist()) & set(held.tolist())
        model = checked.setting.new_model(0)
        train(model, pool.subset(rest), fixed_point("ce", checked.counts), checked.recipe, 0)
        predictions[held] = outputs(model, pool.subset(held)).argmax(1)
    expected = 100 * (1 - balanced_accuracy_score(pool.y, predictions))
    assert read(done)["held_out"]["ce"] == pytest.approx(expected)


@pytest.mark.parametrize("needed", ["0.0001", "0.9999"])
def test_the_file_holds_the_chosen_loss_and_the_searched_one_is_kept(data, done, tmp_path, needed, monkeypatch):
    monkeypatch.setattr("autobalance.bilevel._select.choose", lambda *rest: choose(*rest[:5], float(needed)))
    out = tmp_path / "run"
    assert search(data, out, options=CHOOSING) == 0
    result = read(out)
    provenance = json.loads((out / "loss.json").read_text())["provenance"]
    if result["chosen"] == "searched":
        assert not (out / "searched.json").exists()
    else:
        fixed = fixed_point(result["chosen"], torch.tensor([60, 30, 15, 8]))
        assert torch.equal(load_loss(out / "loss.json").l, fixed.l)
        kept = json.loads((out / "searched.json").read_text())["provenance"]
        assert kept["chosen"] == result["chosen"], "the searched loss says that it was not chosen"
        assert not torch.equal(load_loss(out / "searched.json").l, fixed.l)
    assert provenance["chosen"] == result["chosen"]
    assert result["test"] == read(done)["test"], "the choice takes no part in what is tested"


def test_both_outcomes_occur(data, tmp_path, monkeypatch):
    chosen = set()
    for number, needed in enumerate((0.0, 1.1)):
        monkeypatch.setattr(
            "autobalance.bilevel._select.choose", lambda *rest, needed=needed: choose(*rest[:5], needed)
        )
        assert search(data, tmp_path / str(number), "--seeds", "1", options=CHOOSING) == 0
        chosen.add(read(tmp_path / str(number))["chosen"] == "searched")
    assert chosen == {True, False}


def test_an_interrupted_choice_is_gone_on_with(data, done, tmp_path, monkeypatch):
    trainings = []

    def stopping(model, *rest):
        if len(trainings) == 4:
            raise KeyboardInterrupt
        trainings.append(model)
        return train(model, *rest)

    out = tmp_path / "run"
    monkeypatch.setattr("autobalance.training._arm.train", stopping)
    assert search(data, out, options=CHOOSING) == 130
    assert len(Checkpoint.load(out / "checkpoint.pt").held_out) == 4
    assert not (out / "loss.json").exists(), "there is no loss to use before the choice"
    assert json.loads((out / "searched.json").read_text())["provenance"]["chosen"] is None
    monkeypatch.setattr("autobalance.training._arm.train", train)
    from autobalance.search import main

    assert main(["--out", str(out), "--resume"]) == 0
    same_run(out, done)
    assert not (out / "run.lock").exists() and (out / "searched.json").exists() == (done / "searched.json").exists()
    assert read(out)["held_out"] == read(done)["held_out"]
    cost = read(out)["cost"]["choice_seconds"]
    assert main(["--out", str(out), "--resume"]) == 0
    assert read(out)["cost"]["choice_seconds"] == cost, "what was paid for is not paid for again"


def test_folds_are_searched_on_and_judged_by(data, tmp_path):
    out = tmp_path / "run"
    assert search(data, out, "--folds", "4", options=CHOOSING) == 0
    assert read(out)["search"]["folds"] == 4
    assert len(Checkpoint.load(out / "checkpoint.pt").held_out) == 3 * 4


def test_rates_that_were_found_are_also_tried_with_the_fixed_loss(data, tmp_path):
    out = tmp_path / "run"
    assert search(data, out, "--free", "l,weight_decay", options=CHOOSING) == 0
    result = read(out)
    assert set(result["held_out"]) == {"searched", "la", "ce", "la+rates"}
    assert set(result["test"]) == {"searched", "la", "ce", "la+rates"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--candidates", "ce", "--confidence", "0"], "--candidates ce have no effect"),
        (["--candidates", "group-dro"], "group-dro"),
        (["--folds", "1"], "at least 2"),
        (["--folds", "3", "--validation", "0.3"], "--validation 0.3 has no effect with --folds"),
        (["--folds", "100"], "100 folds are too many"),
        (
            ["--folds", "3", "--hypergradient", "unrolled"],
            "unrolled does not work with --folds",
        ),
        (["--confidence", "1"], "is not a share"),
    ],
)
def test_options_that_cannot_be(data: Path, tmp_path, capsys, options, message):
    assert search(data, tmp_path / "run", *options, options=OPTIONS[:-2]) == 2
    assert message in capsys.readouterr().err


def test_the_page_says_what_was_chosen_and_with_which_recipe_parameters(data, tmp_path, monkeypatch):
    from autobalance.study.report import choice_sentence, write_report

    out = tmp_path / "run"
    assert search(data, out, "--free", "l,weight_decay", options=CHOOSING) == 0
    page = write_report(out).read_text()
    result = read(out)
    assert choice_sentence(result)[:60] in page and "recipe parameters that were found (weight decay" in page
    assert choice_sentence({**result, "chosen": "searched"}).startswith("Chosen: the searched loss")
    assert choice_sentence({**result, "confidence": None}) == ""
