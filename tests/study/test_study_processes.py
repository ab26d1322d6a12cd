"""Several processes: the same results, and nothing is lost where one of them dies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cell_cases import Dies, Noted, dies_always, expected, fails, numbers, refuses

from autobalance.common import InputError, Unfinished
from autobalance.study import Cell, Directory, Processes, run_cells


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_the_work_is_shared(tmp_path: Path) -> None:
    found = run_cells(numbers(tmp_path / "notes", 6, 0.1), Directory(tmp_path / "out"), Processes(2, "fork"))
    assert found == expected(6)
    processes = {path.name.split("-")[1] for path in (tmp_path / "notes").iterdir()}
    assert len(processes) == 2 and str(os.getpid()) not in processes
    assert len(list((tmp_path / "notes").iterdir())) == 7, "each once"


def test_processes_that_import_everything_themselves(tmp_path: Path) -> None:
    cells = [Cell("a", Noted(2, str(tmp_path)), {})]
    assert run_cells(cells, Directory(tmp_path / "out"), Processes(1)) == {"a": {"sum": 2}}


def test_the_job_of_a_process_that_dies_is_done_by_another(tmp_path: Path) -> None:
    cells = [Cell("deadly", Dies(str(tmp_path)), {}), *numbers(tmp_path / "notes", 4, 0.05)]
    found = run_cells(cells, Directory(tmp_path / "out"), Processes(2, "fork"))
    assert found == {"deadly": {"sum": 100}, **expected(4)}


def test_where_all_die_work_is_left(tmp_path: Path) -> None:
    cells = [Cell("fine", Noted(1, str(tmp_path)), {}), Cell("deadly", dies_always, {})]
    with pytest.raises(Unfinished, match=r"all workers have died \(exit status \[3, 3\]\)"):
        run_cells(cells, Directory(tmp_path / "out"), Processes(2, "fork"))
    assert (tmp_path / "out" / "fine.json").exists(), "what was done is kept"


@pytest.mark.parametrize(("work", "kind", "words"), [(refuses, InputError, "no such"), (fails, RuntimeError, "sh")])
def test_errors_come_back(tmp_path: Path, work: object, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        run_cells([Cell("a", work, {})], Directory(tmp_path), Processes(2, "fork"))  # type: ignore[arg-type]
