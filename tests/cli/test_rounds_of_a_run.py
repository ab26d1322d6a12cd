"""The command with --rounds: what it searches, what it writes, and what it refuses."""

import json

import pytest
import yaml
from run_case import read, same_run, search, write_data

from autobalance.losses import load_loss

OPTIONS = ["--model", "linear", "--epochs", "4", "--batch-size", "16", "--seeds", "2", "--confidence", "0"]
ROUNDS = [*OPTIONS, "--rounds", "2", "--free", "l,weight_decay,lr"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(autouse=True)
def no_table(monkeypatch, no_page):
    monkeypatch.setattr("autobalance.study.report.results_table", lambda result: "")


def test_a_run_in_rounds(data, tmp_path, capsys):
    assert search(data, tmp_path / "run", options=ROUNDS) == 0
    result = read(tmp_path / "run")
    found = result["search"]
    assert (found["outer_steps"], found["skipped_steps"]) == (2, 0)
    assert found["unroll"] == 4 * round(113 * 0.8 / 16)  # every step of a training
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [(record["epoch"], record["phase"]) for record in history] == [(1, "round"), (2, "round")]
    assert history[0]["rates"] == {"lr": 0.1, "weight_decay": 5e-4} != history[1]["rates"] != found["rates"]
    assert {"searched", "la", "la+rates"} <= set(result["test"])
    assert load_loss(tmp_path / "run" / "loss.json").l.shape == (4,)
    shown = capsys.readouterr().err
    assert "round" in shown and "200/200" in shown
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["rounds"] == 2
    config = ["--config", str(tmp_path / "run" / "config.yaml")]
    assert search(data, tmp_path / "again", options=config) == 0
    same_run(tmp_path / "run", tmp_path / "again")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--every", "5"], "--every 5 has no effect with the --strategy whole"),
        (["--unroll", "3"], "--unroll 3 has no effect with the --strategy whole"),
        (["--outer-lr", "0.1"], "--outer-lr 0.1 has no effect with the --strategy whole"),
        (["--hypergradient", "implicit"], "--hypergradient implicit has no effect with the --strategy whole"),
        (["--start", "ldam-drw"], "a loss with a schedule cannot be searched by whole trainings"),
        (["--free", "l,augment"], "not an augmentation"),
        (["--rounds", "0"], "0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_rounds_do_not_have(data, tmp_path, capsys, arguments, words):
    assert search(data, tmp_path / "run", *arguments, options=ROUNDS) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error
    assert not (tmp_path / "run").exists()
