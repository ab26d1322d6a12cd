"""Cells are done once, in the order of their needs, and go on from what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cell_cases import expected, fails, numbers, refuses

from autobalance.common import Callback, InputError, Unfinished, listening
from autobalance.study import Cell, Desk, Directory, run_cells


class Shown:
    """Keeps what a person would see."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[int] = []
        self.begun: tuple[int, int] | None = None

    def say(self, text: str) -> None:
        self.said.append(text)

    def phase(self, name: str, total: int, done: int = 0, quiet_for: float = 0.0) -> None:
        self.begun = (total, done)

    def step(self, done: int, figures: str) -> None:
        self.steps.append(done)


def test_every_cell_is_done_after_what_it_needs(tmp_path: Path) -> None:
    shown = Shown()
    found = run_cells(numbers(tmp_path / "notes", 4), Directory(tmp_path / "out"), display=shown)
    assert found == expected(4)
    assert list(found) == ["whole", "part/0", "part/1", "part/2", "part/3"], "in the order given"
    assert json.loads((tmp_path / "out" / "part" / "3.json").read_text())["result"] == {"sum": 3}
    assert shown.begun == (5, 0) and shown.steps[-1] == 5 and shown.steps == sorted(shown.steps)


def test_callbacks_are_told_of_a_study(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    class Kept(Callback):
        def on_study(self, record: Mapping[str, Any]) -> None:
            told.append(dict(record))

    with listening(Kept()):
        found = run_cells(numbers(tmp_path / "notes", 3), Directory(tmp_path / "out"))
    assert {record["cell"] for record in told if record["event"] == "done"} == set(found)
    assert told[-1]["done"] == told[-1]["total"] == 4
    number = len(told)
    run_cells(numbers(tmp_path / "more", 3), Directory(tmp_path / "again"))
    assert len(told) == number


def test_nothing_is_done_twice(tmp_path: Path) -> None:
    store = Directory(tmp_path / "out")
    cells = numbers(tmp_path / "notes", 3)
    run_cells(cells, store)
    store.file(cells[2]).unlink()
    shown = Shown()
    assert run_cells(cells, store, display=shown) == expected(3)
    assert shown.begun == (4, 3)
    begun = {path.name.split("-")[0]: path.read_text().count("begun") for path in (tmp_path / "notes").iterdir()}
    assert begun == {"0": 1, "1": 2, "2": 1, "3": 1}


def test_an_interrupted_cell_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    tries: list[Any] = []

    def work(desk: Desk) -> dict[str, Any]:
        tries.append(desk.kept)
        for number in range(0 if desk.kept is None else desk.kept["done"], 3):
            if number == 2 and len(tries) == 1:
                raise KeyboardInterrupt
            desk.keep({"done": number + 1})
        return {"done": 3}

    cells = [Cell("a", work, {})]
    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, Directory(tmp_path))
    assert "result" not in json.loads((tmp_path / "a.json").read_text())
    assert run_cells(cells, Directory(tmp_path)) == {"a": {"done": 3}}
    assert tries == [None, {"done": 2}]


@pytest.mark.parametrize("text", ['{"plan": "abc", "resu', "[1, 2]", '{"result": {}}', ""])
def test_a_torn_file_is_missing_and_is_said(tmp_path: Path, text: str) -> None:
    cells, store, shown = numbers(tmp_path / "notes", 1), Directory(tmp_path / "out"), Shown()
    run_cells(cells, store)
    store.file(cells[1]).write_text(text)
    assert run_cells(cells, store, display=shown) == expected(1)
    assert len(shown.said) == 1 and f"{store.file(cells[1])} is torn" in shown.said[0]


def test_the_result_of_another_plan_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    cells, store = numbers(tmp_path / "notes", 2), Directory(tmp_path / "out")
    run_cells(cells[1:2], store)
    changed = [cells[0], Cell("part/0", fails, {"i": "other"}), Cell("part/1", fails, {"i": 1})]
    with pytest.raises(InputError, match=r"part/0\.json was made with other settings"):
        run_cells(changed, store)


def test_what_decides_is_told_apart(tmp_path: Path) -> None:
    plans = {Cell("a", fails, decides).plan for decides in ({}, {"a": 1}, {"a": 1.5}, {"a": "1"}, [1], {"b": 1})}
    assert len(plans) == 6
    assert Cell("a", fails, {"x": 1, "y": 2}).plan == Cell("b", refuses, {"y": 2, "x": 1}).plan


def test_errors_come_through(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such colour"):
        run_cells([Cell("paint/red", refuses, {})], Directory(tmp_path))
    with pytest.raises(RuntimeError, match="shapes"):
        run_cells([Cell("a", fails, {})], Directory(tmp_path))


def test_cells_that_cannot_be() -> None:
    twice = [Cell("a", fails, {}), Cell("a", fails, {})]
    for cells, words in ((twice, "two cells"), ([Cell("a", fails, {}, needs=("b",))], "needs b")):
        with pytest.raises(ValueError, match=words):
            run_cells(cells, Directory(Path("nowhere")))


def test_cells_that_need_one_another_are_left(tmp_path: Path) -> None:
    with pytest.raises(Unfinished, match="2 of 2 cells are left"):
        run_cells([Cell("a", fails, {}, needs=("b",)), Cell("b", fails, {}, needs=("a",))], Directory(tmp_path))
