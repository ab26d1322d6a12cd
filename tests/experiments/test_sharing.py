"""Work that is killed goes on where it stopped, and workers never do a piece twice."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from make_comparison import compare, start, without_costs
from optuna.trial import TrialState

from experiments import work_queue, workers
from experiments.compare import main
from experiments.storage import open_storage
from experiments.work_queue import WorkQueue

pytestmark = pytest.mark.usefixtures("no_figure")

GRID = ["--model", "linear", "--losses", "la,vs,ce", "--seeds", "2", "--tune", "3", "--epochs", "15"]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_each_piece_is_taken_once(tmp_path: Path, kind: str) -> None:
    url = None if kind == "journal" else f"sqlite:///{tmp_path}/grid.db"
    pieces = [f"run/{number}" for number in range(8)]
    WorkQueue(open_storage(url, tmp_path), "grid").add(pieces)

    def worker(_: int) -> list[str]:
        queue, mine = WorkQueue(open_storage(url, tmp_path), "grid"), []
        queue.add(pieces)
        while claimed := queue.claim([piece for piece in pieces if piece not in queue.results()]):
            mine.append(claimed[0])
            queue.finish(claimed[1], {"piece": claimed[0]})
        return mine

    with ThreadPoolExecutor(2) as pool:
        taken = [piece for mine in pool.map(worker, range(2)) for piece in mine]
    assert sorted(taken) == sorted(pieces)
    assert WorkQueue(open_storage(url, tmp_path), "grid").results() == {piece: {"piece": piece} for piece in pieces}


def test_dead_and_silent_workers_lose_their_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = WorkQueue(open_storage(None, tmp_path), "grid")
    queue.add(["a"])
    first = queue.claim(["a"])
    assert first is not None
    assert queue.claim(["a"]) is None, "its worker is this process, which lives"
    monkeypatch.setattr(work_queue, "_started", lambda process: "")
    second = queue.claim(["a"])
    assert second is not None
    assert second[1] != first[1]
    monkeypatch.setattr(work_queue.socket, "gethostname", lambda: "another machine")
    assert queue.claim(["a"]) is None, "it said that it was alive just now"
    now = time.time()
    monkeypatch.setattr(work_queue.time, "time", lambda: now + 1000)
    third = queue.claim(["a"])
    assert third is not None
    queue.finish(second[1], {"late": True})
    assert queue.results() == {}, "whoever was taken for dead hands in nothing"
    queue.finish(third[1], {"value": 1})
    assert queue.results() == {"a": {"value": 1}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one worker that nothing interrupts finds."""
    return without_costs(compare(tmp_path_factory.mktemp("runs") / "whole", *GRID))


def test_killed_and_resumed_ends_as_uninterrupted(tmp_path: Path, whole: dict[str, Any]) -> None:
    out = tmp_path / "killed"
    process = start(out, *GRID)
    until = time.monotonic() + 100
    while not (out / "tuned" / "la.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.1)
    process.kill()
    process.join()
    assert not (out / "results.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*/*.json")}
    assert finished
    assert main(["--out", str(out), "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "what was finished was done again"
    assert without_costs(json.loads((out / "results.json").read_text())) == whole


def test_workers_share_a_storage(
    tmp_path: Path, whole: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "START", "fork")  # spares the test the imports
    url = f"sqlite:///{tmp_path}/grid.db"
    together = compare(tmp_path / "a", *GRID, "--storage", url, "--workers", "2")
    assert "12/12  all trained" in capsys.readouterr().err
    assert without_costs(together) == whole, "the table depends on the number of workers"
    storage = open_storage(url, tmp_path)
    name = next(name for name in optuna.get_all_study_names(storage) if name.endswith("/queue"))
    trials = optuna.load_study(study_name=name, storage=storage).get_trials(states=(TrialState.COMPLETE,))
    assert len({trial.user_attrs["piece"] for trial in trials}) == len(trials) == 2 + 3 * 2
    joined = compare(tmp_path / "b", *GRID, "--storage", url)
    assert joined == together, "costs included: another machine takes over what is done"
    assert len(list((tmp_path / "b" / "runs").iterdir())) == 6
