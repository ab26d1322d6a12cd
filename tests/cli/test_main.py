"""The command with a word first: it hands the rest on, says its version, and helps where a word is wrong."""

import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from run_case import search, write_data

import autobalance
from autobalance.cli import main

ROOT = Path(__file__).parents[2]


def test_the_console_script_is_the_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["autobalance"].partition(":")
    assert getattr(import_module(module), name) is main and list(scripts) == ["autobalance"]


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"autobalance {autobalance.__version__}\n"
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {name} " in told for name in ("search", "compare", "predict", "report"))


def test_the_package_itself_is_the_command():
    for package in ("autobalance", "autobalance.search", "autobalance.compare", "autobalance.predict"):
        assert find_spec(f"{package}.__main__" if package == "autobalance" else package) is not None
    assert import_module("autobalance.__main__").main is main


@pytest.mark.parametrize("command", ["search", "compare", "predict"])
def test_each_command_gets_the_rest_of_the_line(command, capsys):
    assert main([command, "--nonsense"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and ("--nonsense" in told or "required" in told)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a command is missing"),
        (["serch"], "no command 'serch'; do you mean search?"),
        (["--data", "x.csv"], "did you leave out search?"),
        (["report", "nowhere"], "nowhere holds no finished run"),
        (["report"], "usage: autobalance report DIR"),
    ],
)
def test_a_word_that_is_none(arguments, words, capsys):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_the_report_is_written_again(tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autobalance.cli._run.write_report", lambda directory: None)
        assert search(write_data(tmp_path / "data.npz"), tmp_path / "run", "--seeds", "1") == 0
    assert not (tmp_path / "run" / "report.html").exists()
    assert main(["report", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
