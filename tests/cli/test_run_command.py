"""What all commands do alike: where results go, exit statuses, one line for what is wrong."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from autobalance.cli._command import command_line, run_command
from autobalance.cli._options import RunOptions
from autobalance.common import InputError, Unfinished


@dataclass(frozen=True)
class Given(RunOptions):
    PLACES: ClassVar[frozenset[str]] = frozenset({"out", "workers"})

    two_words: str | None = None
    names: tuple[str, ...] = ()
    flag: bool = False
    number: float = 0.5
    workers: int = 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("wrong\n  `two_words`"), 2, "error: wrong --two-words"),
        (Unfinished("work is left"), 1, "error: work is left; --resume continues it"),
        (OSError(28, "No space left on device", "a.json"), 2,
         "error: No space left on device: a.json; all files written before are intact"),
        (KeyboardInterrupt(), 130, "interrupted; continue with: python -m experiments.thing --out {out} --resume"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, line: str
) -> None:
    def work(options: Given, directory: Path, resume: bool) -> None:
        raise error

    out = tmp_path / "run"
    assert run_command("experiments.thing", lambda: (Given(out=str(out)), False), work) == status
    captured = capsys.readouterr()
    assert captured.err.strip() == line.format(out=out) and captured.out == ""


def test_errors_that_nobody_expected_keep_their_traceback(tmp_path: Path) -> None:
    def work(options: Given, directory: Path, resume: bool) -> None:
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        run_command("experiments.thing", lambda: (Given(out=str(tmp_path)), False), work)


def test_a_new_directory_has_the_name_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[Path] = []
    for _ in range(2):
        assert run_command("experiments.thing", lambda: (Given(), False), lambda _, where, __: (
            where / "made").touch() or seen.append(where)) == 0  # fmt: skip
    assert seen == [Path("runs/thing-results"), Path("runs/thing-results-2")]


def test_another_run_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").touch()
    options = Given(out=str(tmp_path))
    assert run_command("experiments.thing", lambda: (options, False), lambda *_: None) == 2
    assert "add --resume" in capsys.readouterr().err
    assert run_command("experiments.thing", lambda: (options, True), lambda *_: None) == 0


def test_the_command_line_has_what_differs_and_decides() -> None:
    given = Given(out="x", two_words="a b", names=("c", "d"), flag=True, number=0.25, workers=4)
    line = "python -m experiments.thing --two-words 'a b' --names c,d --flag --number 0.25"
    assert command_line("experiments.thing", given) == line
    assert command_line("experiments.thing", Given()) == "python -m experiments.thing"
