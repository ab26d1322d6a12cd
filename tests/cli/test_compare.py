"""The command's errors, and its help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from make_comparison import ROOT, compare

from autobalance.cli._compare_options import parse
from autobalance.compare import main

pytestmark = pytest.mark.usefixtures("no_figure")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--losses", "nope"], "'nope'"),
        (["--losses", "ce,"], "empty name"),
        (["--losses", "la+nope"], "'+nope'"),
        (["--losses", "la+drw+drw"], "twice"),
        (["--losses", "ldam-drw+drw"], "drw_start"),
        (["--losses", "ce+ssp", "--model", "linear"], "no weights"),
        (["--searched", "nowhere.json"], "nowhere.json"),
        (["--tune-recipe"], "--tune"),
        (["--tune-folds", "5"], "--tune 5 or more"),
        (["--tune", "900", "--tune-folds", "900"], "the largest class has 128"),
        (["--tune", "-1"], "-1"),
        (["--seeds", "0"], "0"),
        (["--few", "200"], "--many"),
        (["--cluster", "tcp://127.0.0.1:1", "--workers", "2"], "--workers 2 has no effect"),
        (["--published", "nowhere.yaml"], "nowhere.yaml"),
        (["--resume"], "--resume"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--image-size", "8"], "--image-size 8 has no effect on digits"),
    ],
)
def test_bad_input(
    arguments: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert word in error
    assert not list(tmp_path.glob("**/*.*")), "nothing is left behind"


def test_a_cluster_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("autobalance.study._cluster.PATIENCE", 0.3)
    assert main(["--losses", "ce", "--cluster", "tcp://127.0.0.1:1", "--out", str(tmp_path / "run")]) == 2
    assert "error: --cluster tcp://127.0.0.1:1 cannot be reached" in capsys.readouterr().err


def test_the_door_from_a_clone_is_the_same() -> None:
    import experiments.compare

    assert experiments.compare.main is main


def test_another_run_in_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    compare(out, "--losses", "ce", "--seeds", "1")
    assert main(["--losses", "ce", "--out", str(out)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["--losses", "la", "--out", str(out), "--resume"]) == 2
    assert "--losses ce -> la" in capsys.readouterr().err


def test_help_needs_no_torch() -> None:
    code = ("import sys\nfrom autobalance.compare import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
            "sys.exit('torch' in sys.modules or 'optuna' in sys.modules)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--include-search" in done.stdout


def test_names_may_have_spaces() -> None:
    assert parse(["--losses", "ce, la"])[0] == parse(["--losses", "ce,la"])[0]


def test_flags_survive_the_configuration_file(tmp_path: Path) -> None:
    options, _ = parse(["--tune", "3", "--tune-recipe", "--include-search"])
    path = tmp_path / "config.yaml"
    path.write_text(options.to_yaml())
    assert yaml.safe_load(path.read_text())["tune-recipe"] is True
    assert parse(["--config", str(path)])[0] == options
    path.write_text(path.read_text().replace("tune-recipe: true", "tune-recipe: false"))
    assert parse(["--config", str(path)])[0].tune_recipe is False
