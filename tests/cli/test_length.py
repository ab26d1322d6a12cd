"""A run that would take absurdly long is asked about before it starts."""

import io
import re

import pytest
from run_case import search, write_data

from autobalance.cli import _length
from autobalance.cli._options import ProblemOptions
from autobalance.cli._setting import open_setting
from autobalance.compare import main as compare
from autobalance.search import main
from autobalance.training import Recipe

pytestmark = pytest.mark.usefixtures("no_page")


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data.npz")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_epochs_without_end_are_refused_with_how_long_they_would_take(data, tmp_path, capsys):
    assert main(["--data", str(data), "--epochs", "900000", "--seeds", "10000", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert re.search(r"error: this run would take about [\d.e+]+ (days|years): .* --yes", said)
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize("answer, status", [("n\n", 2), ("\n", 2), ("y\n", 0)])
def test_in_a_terminal_it_asks(data, tmp_path, monkeypatch, capsys, answer, status):
    monkeypatch.setattr(_length, "FEWEST", 1)
    monkeypatch.setattr(_length, "LONG", 0.0)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert search(data, tmp_path / "run") == status
    said = capsys.readouterr().err
    assert "Start it? [y/N]" in said and ("error: not started" in said) == (status == 2)
    assert (tmp_path / "run" / "loss.json").exists() == (status == 0)


def test_yes_is_the_answer_and_a_comparison_asks_too(data, tmp_path, monkeypatch, capsys, no_figure):
    monkeypatch.setattr(_length, "FEWEST", 1)
    monkeypatch.setattr(_length, "LONG", 0.0)
    assert search(data, tmp_path / "run", "--yes") == 0
    few = ["--data", str(data), "--losses", "ce", "--seeds", "1", "--epochs", "1", "--model", "linear"]
    assert compare([*few, "--out", str(tmp_path / "no")]) == 2
    assert re.search(r"this run would take about 0 days: \d training steps", capsys.readouterr().err)
    assert compare([*few, "--yes", "--out", str(tmp_path / "yes")]) == 0


def test_the_time_of_a_step_is_that_of_the_model_that_is_trained(data, monkeypatch):
    monkeypatch.setattr(_length, "TIMED", 2)
    setting = open_setting(ProblemOptions(data=str(data), model="linear"))
    clock = iter([0.0, 5.0, 10.0, 13.0])
    monkeypatch.setattr(_length.time, "perf_counter", lambda: next(clock))
    assert _length.seconds_a_step(setting, Recipe(batch_size=16)) == 1.5, "the second training's, a step"
    assert [_length.duration(24.0 * days) for days in (8, 700, 3652.5)] == ["8 days", "700 days", "10 years"]
