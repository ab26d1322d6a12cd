"""``python -m experiments.fairness``: what it writes, that it goes on, what it refuses."""

import json

import numpy as np
import pytest

from autobalance.losses import load_loss
from experiments.fairness.__main__ import main
from experiments.fairness._options import FairnessOptions, parse

QUICK = ["--model", "linear", "--epochs", "3", "--every", "8", "--seeds", "2", "--blends", "0,0.5"]
QUICK += ["--baselines", "ce,group-dro"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("fairness") / "run"
    assert main(["--data", "digits-groups", *QUICK, "--tune", "--out", str(out)]) == 0
    return out


def test_every_method_is_searched_or_tuned_trained_and_tested(done):
    results = json.loads((done / "results.json").read_text())
    assert list(results["methods"]) == ["ce", "group-dro", "searched-0", "searched-0.5"]
    assert results["methods"]["searched-0.5"]["objective"] == "0.5*balanced_error + 0.5*deo"
    assert results["methods"]["searched-0"]["objective"] == "1*balanced_error"
    for content in results["methods"].values():
        assert [run["seed"] for run in content["runs"]] == [0, 1]
        for run in content["runs"]:
            cells = np.array(run["cell_error"])
            assert run["worst_group_error"] == pytest.approx(cells.max())
            assert run["deo"] == pytest.approx(np.ptp(cells, axis=1).sum())
            assert run["equalised_odds"] == pytest.approx(np.ptp(cells, axis=1).max())
        mean = np.mean([run["deo"] for run in content["runs"]])
        assert content["summary"]["deo"]["mean"] == pytest.approx(mean)
    tried = results["methods"]["group-dro"]["runs"][0]
    best = min(tried["trials"], key=lambda trial: trial["metric"])
    assert len(tried["trials"]) == 3 and tried["hyper"]["eta"] == best["eta"]
    assert results["methods"]["ce"]["runs"][0]["trials"] == []


def test_the_files(done):
    table = (done / "table.md").read_text()
    assert "| searched-0.5 " in table and "--tune" in table and "n = 2 seeds" in table
    assert (done / "tradeoff.svg").read_text().startswith("<?xml")
    assert load_loss(done / "losses" / "searched-0.5-1.json").group_names == ("dark ground", "light ground")


def test_a_run_goes_on_with_what_it_has(done):
    before = {path.name: path.read_bytes() for path in (done / "runs").iterdir()}
    (done / "runs" / "ce-1.json").unlink()
    assert main(["--out", str(done), "--resume"]) == 0
    after = {path.name: json.loads(path.read_text()) for path in (done / "runs").iterdir()}
    timed = ("train_seconds", "search_seconds")
    for name, content in before.items():
        runs = (json.loads(content)["result"], after[name]["result"])
        old, new = ({k: v for k, v in run.items() if k not in timed} for run in runs)
        assert old == new


def test_blends_are_sums_with_the_shares():
    options = FairnessOptions(accuracy="error", fairness="worst_group")
    assert options.objective(0.25) == "0.75*error + 0.25*worst_group"
    assert options.objective(1.0) == "1*worst_group"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--data", "digits"], "the samples have none: give --group with a table"),
        (["--data", "digits-groups", "--baselines", "ce,nothing"], "'nothing' is no method"),
        (["--data", "digits-groups", "--fairness", "unfairness"], "no objective is called 'unfairness'"),
        (["--fairness", "balanced_error"], "there is nothing to blend"),
        (["--blends", "0,1.5"], "1.5 is no share"),
    ],
)
def test_what_cannot_be(arguments, words, tmp_path, capsys):
    assert main([*QUICK, *arguments, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not (tmp_path / "run").exists()


def test_shares_are_numbers_each_once():
    assert parse(["--blends", "0, 0.50,0.5,1"])[0].shares == [0.0, 0.5, 1.0]


def test_every_method_has_the_head_of_its_loss(tmp_path, monkeypatch):
    """LDAM's margins are between cosines: a linear head would be another method."""
    from autobalance.models import CosineLinear
    from autobalance.study import Method

    heads, plain = {}, Method.train

    def watched(self, *arguments, **more):
        model = plain(self, *arguments, **more)
        heads[self.name] = type(model.head)
        return model

    monkeypatch.setattr(Method, "train", watched)
    quick = ["--model", "linear", "--epochs", "2", "--every", "5", "--seeds", "1", "--blends", "0"]
    arguments = ["--data", "digits-groups", *quick, "--baselines", "ce,ldam-drw"]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    assert heads["ldam-drw"] is CosineLinear and heads["ce"] is not CosineLinear
