"""The command with another optimiser, clipping and schedule: what it trains with, writes and refuses."""

import json

import pytest
import yaml
from run_case import OPTIONS, read, same_run, search, write_data

from autobalance.cli._config import Options, parse
from autobalance.cli._options import OPTIMIZERS
from autobalance.cli._setting import recipe_of
from autobalance.training import OPTIMIZERS as KNOWN
from autobalance.training import Recipe

CHOSEN = {
    "adam": ["--optimizer", "adam", "--lr", "0.01", "--clip", "0.5", "--free", "l,lr,weight_decay"],
    "adamw-rounds": ["--optimizer", "adamw", "--rounds", "1", "--free", "l,lr,weight_decay"],
    "adamw-folds": ["--optimizer", "adamw", "--folds", "2", "--clip", "0.2", "--free", "l,weight_decay"],
    "sgd": ["--momentum", "0.5", "--schedule", "steps", "--milestones", "0.5,3", "--lr-decay", "0.3", "--clip", "1"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(autouse=True)
def no_table(monkeypatch, no_page):
    monkeypatch.setattr("autobalance.study.report.results_table", lambda result: "")


@pytest.mark.parametrize("name", CHOSEN)
def test_a_run_with_another_optimiser_can_be_read_back_and_repeated(data, tmp_path, name):
    rounds = "--rounds" in CHOSEN[name]
    options = [*OPTIONS[:6], "--seeds", "1", "--confidence", "0"] if rounds else OPTIONS
    assert search(data, tmp_path / "run", *CHOSEN[name], options=options) == 0
    loss = json.loads((tmp_path / "run" / "loss.json").read_text())
    kept = loss["provenance"]["recipe"]
    assert kept["optimizer"] == name.split("-")[0] and Recipe(**kept).optimizer == kept["optimizer"]
    found = read(tmp_path / "run")["search"]
    assert found["outer_steps"] > 0 and found["skipped_steps"] == 0
    if name == "sgd":
        assert (kept["momentum"], kept["milestones"], kept["lr_decay"], kept["clip"]) == (0.5, [0.5, 3], 0.3, 1.0)
    else:
        start = {"adam": 5e-4, "adamw": 0.01}[kept["optimizer"]]
        assert kept["momentum"] is None and kept["weight_decay"] == found["rates"]["weight_decay"] != start
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert written["optimizer"] == kept["optimizer"]
    assert search(data, tmp_path / "again", options=["--config", str(tmp_path / "run" / "config.yaml")]) == 0
    same_run(tmp_path / "run", tmp_path / "again")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--optimizer", "adam", "--momentum", "0.9"], "--momentum 0.9 has no effect with --optimizer adam: leave it"),
        (["--milestones", "0.5,0.8"], "--milestones 0.5,0.8 has no effect with --schedule cosine"),
        (["--lr-decay", "0.5"], "--lr-decay 0.5 has no effect with --schedule cosine"),
        (["--schedule", "steps", "--milestones", "3,0.5"], "--milestones 3,0.5 do not rise"),
        (["--schedule", "steps", "--milestones", "0.5,x"], "'x' is not a number"),
        (["--schedule", "steps", "--milestones", "9"], "--milestones is 9; it has to be a number above 0 and below 4"),
        (["--momentum", "1"], "1 is not a share"),
        (["--clip", "0"], "0 is not above 0"),
        (["--optimizer", "lion"], "'lion'"),
        (["--optimizer", "adam", "--hypergradient", "unrolled"], "unrolled does not work with Adam, since it is exact"),
        (["--clip", "1", "--hypergradient", "implicit"], "implicit does not work with SGD with clipped gradients"),
        (["--optimizer", "adamw", "--hypergradient", "head"], "head does not work with AdamW"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_has_no_effect_or_cannot_be_differentiated_through_is_refused(data, tmp_path, capsys, arguments, words):
    assert search(data, tmp_path / "run", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error


def test_each_optimiser_has_its_own_defaults_here_and_in_python():
    assert tuple(KNOWN) == OPTIMIZERS
    for name in OPTIMIZERS:
        assert recipe_of(parse(["--optimizer", name])[0]) == Recipe(optimizer=name)
    assert recipe_of(parse(["--optimizer", "adam", "--lr", "0.5"])[0]).lr == 0.5
    assert recipe_of(parse([])[0], lr=0.02).lr == 0.02
    assert recipe_of(parse(["--optimizer", "adamw"])[0], lr=0.02).lr == 0.001
    assert Options().optimizer == Recipe().optimizer
