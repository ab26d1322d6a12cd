"""Work that is killed goes on where it stopped, and workers never do a piece twice."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from make_comparison import QUICK, compare, start, without_costs
from optuna.trial import TrialState

from experiments import work_queue
from experiments.compare import main
from experiments.storage import open_storage
from experiments.work_queue import WorkQueue

GRID = ["--model", "linear", "--losses", "la,vs,ce", "--seeds", "2", "--tune", "3", "--epochs", "30"]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_each_piece_is_taken_once(tmp_path: Path, kind: str) -> None:
    url = None if kind == "journal" else f"sqlite:///{tmp_path}/grid.db"
    pieces = [f"run/{number}" for number in range(12)]
    WorkQueue(open_storage(url, tmp_path), "grid").add(pieces)

    def worker(_: int) -> list[str]:
        queue, mine = WorkQueue(open_storage(url, tmp_path), "grid"), []
        queue.add(pieces)
        while claimed := queue.claim([piece for piece in pieces if piece not in queue.results()]):
            mine.append(claimed[0])
            queue.finish(claimed[1], {"piece": claimed[0]})
        return mine

    with ThreadPoolExecutor(3) as pool:
        taken = [piece for mine in pool.map(worker, range(3)) for piece in mine]
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


def test_killed_and_resumed_ends_as_uninterrupted(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    process = start(out, *GRID)
    until = time.monotonic() + 60
    while not (out / "tuned" / "la.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "results.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*/*.json")}
    assert finished
    assert main(["--out", str(out), "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "what was finished was done again"
    whole = compare(tmp_path / "whole", *GRID)
    assert without_costs(json.loads((out / "results.json").read_text())) == without_costs(whole)


def test_two_workers_share_a_storage(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/grid.db"
    other = start(tmp_path / "b", *GRID, "--storage", url)
    until = time.monotonic() + 60
    while not list((tmp_path / "b").glob("config.yaml")) and time.monotonic() < until:
        time.sleep(0.02)
    mine = compare(tmp_path / "a", *GRID, "--storage", url)
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    assert mine == json.loads((tmp_path / "b" / "results.json").read_text()), "costs included: nothing was done twice"
    storage = open_storage(url, tmp_path)
    name = next(name for name in optuna.get_all_study_names(storage) if name.endswith("/queue"))
    trials = optuna.load_study(study_name=name, storage=storage).get_trials(states=(TrialState.COMPLETE,))
    assert len({trial.user_attrs["piece"] for trial in trials}) == len(trials) == 2 + 3 * 2
    assert len({trial.user_attrs["owner"] for trial in trials}) == 2, "one of the workers did nothing"


def test_workers_option(tmp_path: Path) -> None:
    process = start(tmp_path / "run", *QUICK, "--losses", "ce,la", "--seeds", "2", "--workers", "2")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(list((tmp_path / "run" / "runs").iterdir())) == 4
    assert "4/4  all trained" in said
