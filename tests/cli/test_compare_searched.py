"""A run is compared with all that belongs to it, and its loss alone; and searches of any kind, from a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_case import OPTIONS, read, search, write_data

from autobalance.cli.doors.compare import main
from autobalance.losses import load_loss, provenance_of, save_loss
from autobalance.training import BESIDE

pytestmark = pytest.mark.usefixtures("no_page", "no_figure")

SHARED = ["--model", "linear", "--epochs", "4", "--batch-size", "16", "--seeds", "2"]
EVERYTHING = ["--free", "l,lr,weight_decay,augment", "--operations", "noise,masking"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


def compare(data: Path, out: Path, *more: str) -> dict[str, Any]:
    assert main(["--data", str(data), *SHARED, "--losses", "ce", "--out", str(out), *more]) == 0
    return json.loads((out / "results.json").read_text())["methods"]


def errors(methods: dict[str, Any], name: str) -> list[list[float]]:
    return [run["class_error"] for run in methods[name]["runs"]]


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    assert search(data, tmp_path / "run", *EVERYTHING) == 0
    return tmp_path / "run"


def test_a_run_is_trained_as_it_trained_itself(data: Path, run: Path, tmp_path: Path) -> None:
    methods = compare(data, tmp_path / "out", "--searched", str(run))
    assert list(methods) == ["ce", "searched", "searched-loss"]
    tested, whole = read(run)["test"]["searched"], methods["searched"]["summary"]
    assert whole["balanced_error"]["mean"] == pytest.approx(tested["balanced_error"], abs=1e-9)
    assert whole["class_error"][2]["mean"] == pytest.approx(tested["class_error"][2], abs=1e-9)
    found = provenance_of(run / "loss.json")[BESIDE]
    assert set(found) == {"recipe", "augmentation"} and set(found["recipe"]) == {"lr", "weight_decay"}
    assert methods["searched"]["own"] == {**found["recipe"], "augmentation": "noise, masking"}
    row = next(
        line for line in (tmp_path / "out" / "table.md").read_text().splitlines() if line.startswith("| searched ")
    )
    assert f"lr {found['recipe']['lr']:.3g}" in row and "augmentation noise, masking" in row
    save_loss(load_loss(run / "loss.json"), tmp_path / "bare.json")
    bare = compare(data, tmp_path / "bare", "--searched", str(tmp_path / "bare.json"))
    assert list(bare) == ["ce", "searched"]
    assert errors(bare, "searched") == errors(methods, "searched-loss")
    assert errors(bare, "searched") != errors(methods, "searched")


def test_a_loss_file_in_a_run_is_the_run(data: Path, run: Path, tmp_path: Path) -> None:
    methods = compare(data, tmp_path / "out", "--searched", str(run / "loss.json"), "--tune", "2", "--tune-recipe")
    assert list(methods) == ["ce", "searched", "searched-loss"]
    assert methods["searched"]["tuning"] is None, "its rates are its own"
    assert methods["searched-loss"]["tuning"]["tuned"] == ["lr", "weight_decay"]
    shutil.copy(run / "loss.json", tmp_path / "alone.json")
    assert main(["--data", str(data), "--searched", str(tmp_path / "alone.json")]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({BESIDE: {"recipe": {"sped": 1}}}, "unknown keys ['sped']"),
        ({BESIDE: {"recipe": {"lr": -1}}}, "--lr is -1"),
        ({BESIDE: []}, "no object"),
        ({BESIDE: {"smoothing": {"layer": 3}}}, "missing keys"),
        ({"free": ["l", "lr"]}, "searched along with lr by an earlier release"),
    ],
)
def test_what_belongs_to_a_loss_is_checked(
    change: dict[str, Any], words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(data, tmp_path / "run", "--free", "l", "--seeds", "1") == 0
    path = tmp_path / "run" / "loss.json"
    told = provenance_of(path)
    told.pop(BESIDE)
    save_loss(load_loss(path), path, {**told, **change})
    capsys.readouterr()
    assert main(["--data", str(data), *SHARED, "--searched", str(path.parent), "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


def test_a_directory_that_is_no_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--searched", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no loss.json: it is no run, or one that is not finished" in capsys.readouterr().err


def test_a_fixed_loss_that_was_chosen_has_nothing_of_the_search(data: Path, tmp_path: Path) -> None:
    options = [*OPTIONS[:-2], "--confidence", "0.999"]  # which the search does not reach
    assert search(data, tmp_path / "run", *EVERYTHING, "--baselines", "la", options=options) == 0
    assert read(tmp_path / "run")["chosen"] == "la"
    assert provenance_of(tmp_path / "run" / "loss.json")[BESIDE] == {}
    assert set(provenance_of(tmp_path / "run" / "searched.json")[BESIDE]) == {"recipe", "augmentation"}
    methods = compare(data, tmp_path / "out", "--searched", str(tmp_path / "run" / "searched.json"))
    tested = read(tmp_path / "run")["test"]["searched"]
    assert methods["searched"]["summary"]["balanced_error"]["mean"] == pytest.approx(tested["balanced_error"], abs=1e-9)


SEARCHES = """
short: {strategy: interleaved, start: ce, free: [l], outer: {every: 5, warmup: 0.0}, unroll: 3}
round: {rounds: 1, free: [l, lr]}
"""


def test_searches_from_a_file_are_rows(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "searches.yaml"
    path.write_text(SEARCHES)
    methods = compare(data, tmp_path / "out", "--include-search", str(path))
    assert list(methods) == ["ce", "short", "round"]
    assert [methods[name]["tuning"]["trainings"] for name in ("short", "round")] == [5, 4]
    assert set(methods["round"]["own"]) == {"lr"} and methods["short"]["own"] == {}
    table = (tmp_path / "out" / "table.md").read_text()
    assert "short, round: one search on the validation split" in table and f"--include-search {path}" in table
    path.write_text(SEARCHES.replace("every: 5", "every: 6"))
    assert main(["--out", str(tmp_path / "out"), "--resume"]) == 2, "another search"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "holds no searches"),
        ("mine: {sped: 3}", "the search 'mine': a search has no keyword 'sped'"),
        ("mine: 3", "a table of keywords"),
        ("ce: {rounds: 1}", "two methods are called 'ce'"),
    ],
)
def test_files_that_hold_no_searches(
    text: str, words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "searches.yaml").write_text(text)
    given = ["--include-search", str(tmp_path / "searches.yaml"), "--out", str(tmp_path / "out")]
    assert main(["--data", str(data), "--losses", "ce", *given]) == 2
    assert words in capsys.readouterr().err
