"""Searches that are killed for real, in processes that have torch already, and resumed."""

import subprocess

import fresh
import pytest
from run_case import OPTIONS, write_data

from experiments.kills import differences, main


def searched(arguments):
    from autobalance.search import main as search

    raise SystemExit(search(arguments))


class Forked:
    def __init__(self, arguments):
        self._process = fresh.CONTEXT.Process(target=searched, args=(arguments,))
        self._process.start()

    def kill(self):
        self._process.kill()

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("search", timeout)
        return self._process.exitcode


@pytest.fixture
def options(tmp_path):
    data = str(write_data(tmp_path / "data.npz"))
    return ["--data", data, *OPTIONS, "--seeds", "1"]


def test_killed_searches_end_as_one_that_was_not(options, capsys):
    assert main(["--kills", "1", "--", *options], Forked) == 0
    said = capsys.readouterr().out
    assert "differs" not in said.split("control")[0] and "control with another seed: differs in loss.json" in said


def test_what_is_not_the_same_is_named(tmp_path):
    content = {"loss.json": "{}", "history.jsonl": "{}", "result.json": '{"test": {"a": 1}, "choice": {}, "cost": 3}'}
    for name in ("first", "second"):
        for file, text in content.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / file).write_text(text)
    first, second = tmp_path / "first", tmp_path / "second"
    assert differences(first, second) == []
    (second / "result.json").write_text('{"test": {"a": 2}, "choice": {}, "cost": 4}')
    (second / "history.jsonl").write_text("{} ")
    assert differences(first, second) == ["history.jsonl", "result.json: test"]
