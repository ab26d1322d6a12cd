"""A comparison that is killed goes on where it stopped; several processes give the same table."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from make_comparison import compare, start, without_costs

from autobalance.compare import main
from autobalance.study import Processes

pytestmark = pytest.mark.usefixtures("no_figure")

GRID = ["--model", "linear", "--losses", "la,vs,ce", "--seeds", "2", "--tune", "3", "--epochs", "15"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process that nothing interrupts finds."""
    return without_costs(compare(tmp_path_factory.mktemp("runs") / "whole", *GRID))


@pytest.mark.parametrize("until", ["tuned/la.json", "runs/la-0.json"])
def test_killed_and_resumed_ends_as_uninterrupted(tmp_path: Path, whole: dict[str, Any], until: str) -> None:
    out = tmp_path / "killed"
    process = start(out, *GRID)
    end = time.monotonic() + 100
    while not (out / until).exists() and time.monotonic() < end:
        time.sleep(0.005)
    process.kill()
    process.join()
    assert not (out / "results.json").exists()
    finished = {
        path: path.stat().st_mtime_ns for path in out.glob("*/*.json") if "result" in json.loads(path.read_text())
    }
    kept = json.loads((out / "tuned" / "la.json").read_text())
    assert finished or kept["state"], "trials are kept before all are done"
    assert main(["--out", str(out), "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "what was finished was done again"
    assert without_costs(json.loads((out / "results.json").read_text())) == whole


def test_a_file_that_is_torn_is_done_again(
    tmp_path: Path, whole: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    compare(out, *GRID)
    (out / "runs" / "vs-1.json").write_text('{"plan": "12')
    assert main(["--out", str(out), "--resume"]) == 0
    assert "vs-1.json is torn" in capsys.readouterr().err
    assert without_costs(json.loads((out / "results.json").read_text())) == whole


def test_two_processes_give_the_same_table(
    tmp_path: Path, whole: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("autobalance.study.Processes", lambda number: Processes(number, "fork"))  # spares the imports
    together = compare(tmp_path / "a", *GRID, "--workers", "2")
    assert "12/12" in capsys.readouterr().err
    assert without_costs(together) == whole, "the table depends on the number of processes"
    assert len(list((tmp_path / "a" / "runs").iterdir())) == 6
