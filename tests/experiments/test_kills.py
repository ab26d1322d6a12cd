"""Searches that are killed for real, in processes that have torch already, and resumed."""

import subprocess

import fresh
import pytest
from run_case import OPTIONS, write_data

from experiments.kills import main


def searched(arguments):
    from autobalance.cli import _run
    from autobalance.search import main as search

    _run.write_report = lambda directory: None
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


def test_a_search_that_is_not_the_same_afterwards_is_noticed(options, capsys):
    """Each start gets another learning rate: as if a run forgot its state."""
    starts = []

    def start(arguments):
        starts.append(arguments)
        changed = [] if "--resume" in arguments else ["--outer-lr", str(0.05 + 0.01 * len(starts))]
        return Forked([*arguments, *changed])

    assert main(["--kills", "1", "--", *options], start) == 1
    assert "differs in" in capsys.readouterr().out.split("control")[0]
