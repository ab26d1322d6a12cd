"""Ctrl-C and SIGTERM: a checkpoint, a status, no traceback."""

import os
import shlex
import signal
import threading
from pathlib import Path

import fresh
import pytest
from run_case import search, write_data

from autobalance.cli import _run
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._command import run_command
from autobalance.cli._options import RunOptions
from autobalance.cli._progress import Display
from autobalance.cli._stopping import Terminated, say_stopped, stoppable
from autobalance.search import main


@pytest.fixture(autouse=True)
def signals():
    """As in a terminal: a suite in the background, or under nohup, is started with signals ignored."""
    with fresh.own_signals():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield


def test_sigterm_leaves_a_checkpoint_and_status_143(tmp_path, monkeypatch, capsys, no_page):
    calls, step = [], Display.step

    def counted(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *args, **kwargs)

    out = tmp_path / "run"
    with monkeypatch.context() as patch, fresh.own_signals():
        patch.setattr(Display, "step", counted)
        assert search(write_data(tmp_path / "data.npz"), out) == 143
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == f"terminated; continue with: python -m autobalance.search --out {out} --resume"
    assert Checkpoint.load(out / "checkpoint.pt").search["done"] == 2
    assert len((out / "history.jsonl").read_text().splitlines()) == 2
    assert main(["--out", str(out), "--resume"]) == 0 and (out / "result.json").exists()


def test_every_command_says_143(tmp_path, capsys):
    def work(options, directory, resume):
        os.kill(os.getpid(), signal.SIGTERM)

    assert run_command("experiments.thing", lambda: (RunOptions(str(tmp_path)), False), work) == 143
    assert capsys.readouterr().err.strip().startswith("terminated; continue with: python -m experiments.thing")


def stopped_twice(first, second):
    """A process that is still busy with the first signal when the second comes."""
    with stoppable():
        try:
            signal.raise_signal(first)
        finally:
            signal.raise_signal(second)


@pytest.mark.parametrize("first, second", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_the_second_signal_ends_the_process_at_once_without_a_traceback(capfd, first, second):
    process = fresh.CONTEXT.Process(target=stopped_twice, args=(first, second))
    process.start()
    process.join()
    assert process.exitcode == -second and capfd.readouterr().err == ""


def test_afterwards_signals_are_as_before_and_ignored_ones_stay_ignored():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    with stoppable():
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(Terminated), stoppable():
        signal.raise_signal(signal.SIGTERM)


def test_threads_have_no_handlers():
    done = []

    def work():
        with stoppable():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_the_history_grows_as_the_search_goes(tmp_path, monkeypatch, no_page):
    lengths, step = [], Display.step
    out = tmp_path / "run"
    monkeypatch.setattr(_run, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(
        Display,
        "step",
        lambda *args, **more: (
            lengths.append(len((out / "history.jsonl").read_text().splitlines())),
            step(*args, **more),
        ),
    )
    assert search(write_data(tmp_path / "data.npz"), out, "--seeds", "1", "--baselines", "ce") == 0
    assert lengths[:4] == [1, 2, 3, 4]


def test_the_hint_can_be_pasted_into_a_shell(capsys):
    assert say_stopped(KeyboardInterrupt(), "autobalance.search", Path("runs/it's mine")) == 130
    told = capsys.readouterr().err.strip().partition("continue with: ")[2]
    assert shlex.split(told) == ["python", "-m", "autobalance.search", "--out", "runs/it's mine", "--resume"]
