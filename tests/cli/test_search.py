"""The command: exit statuses, one line for bad input, interruption and resumption."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import fresh
import numpy as np
import pytest
import torch
from run_case import OPTIONS, read, same_run, search, write_data

from autobalance.bilevel import Trainee
from autobalance.cli import _run
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._progress import Display
from autobalance.losses import load_loss
from autobalance.search import main

pytestmark = pytest.mark.usefixtures("no_page")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(None):
        patch.setattr(_run, "write_report", lambda directory: None)
        assert search(data, out) == 0
    return out


def one_line(capsys):
    """What standard error holds: exactly one line, that of the error."""
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ") and captured.out == ""
    return line


# It does what it says


def test_it_ends_with_a_table_and_where_the_files_are(tmp_path, data, capsys, monkeypatch):
    monkeypatch.setattr(_run, "write_report", lambda directory: (directory / "report.html").write_text(""))
    assert search(data, tmp_path / "run") == 0
    captured = capsys.readouterr()
    for text in ("searched loss", "cross-entropy", "logit adjustment", "times one plain training"):
        assert text in captured.out, text
    for name in ("report.html", "loss.json", "result.json"):
        assert str(tmp_path / "run" / name) in captured.out
    lines = captured.err.splitlines()
    assert lines[0].startswith("data: ") and "4 classes of 60 to 8 samples" in lines[0] and "linear" in lines[0]
    assert lines[1].startswith("warm-up   1/4  validation objective") and "balanced error" in lines[1]
    assert lines[4].startswith("search    4/4") and lines[4].endswith("0:00 left")
    assert lines[-1].startswith("retrain   24/24  la, seed 1  training loss")


def test_without_out_each_run_has_a_directory_of_its_own(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["--data", str(data), *OPTIONS, "--seeds", "1"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["data", "data-2"]


def test_a_finished_run_can_be_resumed_and_repeated_from_its_options(tmp_path, data, whole):
    before = Checkpoint.load(whole / "checkpoint.pt").trainings
    assert main(["--out", str(whole), "--resume"]) == 0
    assert Checkpoint.load(whole / "checkpoint.pt").trainings == before  # nothing was trained again
    again = tmp_path / "again"
    assert main(["--config", str(whole / "config.yaml"), "--out", str(again)]) == 0
    same_run(again, whole)


def test_as_a_process_it_runs_from_the_defaults_to_the_report(tmp_path):
    options = ["--model", "linear", "--epochs", "3", "--seeds", "1", "--every", "5", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "autobalance.search", *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr and "digits" in done.stderr
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert load_loss(tmp_path / "run" / "loss.json").num_classes == 10
    assert 0 < read(tmp_path / "run")["test"]["searched"]["balanced_error"] < 90


# Bad input


def bad_npz(path, **changes):
    arrays = dict(np.load(write_data(path)))
    arrays |= {name: change(arrays[name].copy()) for name, change in changes.items()}
    np.savez(path, **arrays)
    return path


def put(index, value):
    def change(array):
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"y_train": lambda y: y + 1}, "0"),
        ({"y_train": put(3, -1)}, "-1"),
        ({"x_train": put((5, 1), np.nan)}, "5"),
        ({"x_test": put((7, 0), np.inf)}, "7"),
        ({"y_train": lambda y: np.where((y == 3) & (np.cumsum(y == 3) > 1), 0, y)}, "class '3' has 1 sample"),
        ({"x_train": lambda x: x[:0], "y_train": lambda y: y[:0]}, "x_train"),
    ],
    ids=["not from 0", "negative", "nan", "inf", "too few", "empty"],
)
def test_data_that_cannot_be_used(tmp_path, capsys, changes, words):
    path = bad_npz(tmp_path / "bad.npz", **changes)
    assert search(path, tmp_path / "run") == 2
    assert words in one_line(capsys)
    assert not (tmp_path / "run").exists()


TABLE = "a,b,label\n" + "".join(f"{k % 7},{k % 5},{'xy'[k % 3 == 0]}\n" for k in range(60))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--nonsense", "1"], "unrecognized arguments: --nonsense 1 (--help"),
        (["--traget", "y"], "unrecognized arguments: --traget y; do you mean --target? (--help"),
        (["table.csv"], "unrecognized arguments: table.csv; give the data with --data table.csv (--help"),
        (["--epochs", "many"], "'many'"),
        (
            ["--epochs", "2", "--every", "13"],
            "2 leaves no room for a hypergradient: that is 12 training steps, 6 of them warm-up, and the first one",
        ),
        (["--data", "nowhere.npz"], "there is no file nowhere.npz"),
        (["--data", "nowhere"], "'nowhere' is unknown"),
        (["--data", "table.csv"], "--target"),
        (["--data", "table.csv", "--target", "c"], "'c'"),
        (["--data", "torn.npz"], "torn.npz cannot be read"),
        (["--target", "label"], "--target label has no effect"),
        (["--imbalance-type", "step"], "has no effect"),
        (["--late-start", "0.5"], "--late-start has no effect without --late"),
        (["--late", "w", "--free", "l"], "'w' is --late but not --free"),
        (["--model", "cnn"], "the model cnn is for images"),
        (["--start", "nothing"], "no fixed loss is called 'nothing'"),
        (["--free", "csl_reward"], "'csl_reward' has no effect on the loss to start from"),
        (["--baselines", "ce,nothing"], "no fixed loss is called 'nothing'"),
        (
            ["--hypergradient", "head", "--weight-decay", "0"],
            "--hypergradient head does not work with SGD, since it needs a --weight-decay above 0",
        ),
        (["--unroll", "9"], "--unroll 9 does not fit between hypergradients"),
        (["--validation", "0"], "between 0 and 1"),
        (["--config", "nowhere.yaml"], "there is no file nowhere.yaml"),
        (["--out", "table.csv"], "table.csv is a file"),
        (["--out", "table.csv/run"], "Not a directory: table.csv/run; give another --out"),
        (["--resume"], "there is no run to resume in run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_says_what_is_wrong_and_nothing_is_left_behind(tmp_path, data, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "torn.npz").write_bytes(data.read_bytes()[:500])
    before = sorted(tmp_path.rglob("*"))
    assert main(["--data", str(data), *OPTIONS, "--out", "run", *arguments]) == 2
    assert words in one_line(capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(tmp_path, data, capsys):
    assert search(data, tmp_path / "run", "--device", "cuda") == 2
    assert "--device cuda: torch finds no CUDA device here; use --device cpu" in one_line(capsys)


def test_a_model_of_ones_own_without_features_is_told_before_the_search(tmp_path, data, monkeypatch, capsys):
    (tmp_path / "featureless.py").write_text(
        f"import numpy, torch\nfile = numpy.load({str(data)!r})\n"
        "def problem():\n"
        "    parts = {part: (file['x_' + part], file['y_' + part]) for part in ('train', 'test')}\n"
        "    return {**parts, 'model': lambda: torch.nn.Linear(4, 4)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = [option for option in OPTIONS if option not in ("--model", "linear")]
    assert search("featureless:problem", tmp_path / "run", "--baselines", "ce,ib", options=own) == 2
    assert "needs the features of Linear" in one_line(capsys)


def test_another_run_is_not_written_over(tmp_path, data, whole, capsys):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    assert search(data, whole) == 2
    assert "add --resume to continue it, or give another --out" in one_line(capsys)
    assert search(data, whole, "--resume", "--lr", "0.3") == 2
    assert "--lr None -> 0.3" in one_line(capsys)
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_a_torn_checkpoint_is_told(tmp_path, data, whole, capsys):
    out = tmp_path / "run"
    assert search(data, out) == 0
    capsys.readouterr()
    kept = out / "checkpoint.pt"
    kept.write_bytes(kept.read_bytes()[:999])
    assert main(["--out", str(out), "--resume"]) == 0
    told = capsys.readouterr().err
    assert f"warning: {kept} cannot be read" in told and "goes on from the one before it" in told
    same_run(out, whole)
    for each in out.glob("checkpoint*.pt"):
        each.write_bytes(each.read_bytes()[:999])
    assert main(["--out", str(out), "--resume"]) == 2
    assert "checkpoint.pt cannot be read" in one_line(capsys)


def test_the_checkpoint_of_another_seed_is_refused(tmp_path, data, whole, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        assert search(data, tmp_path / "run", "--seed", "1") == 130
    capsys.readouterr()
    shutil.copy(whole / "checkpoint.pt", tmp_path / "run")
    assert main(["--out", str(tmp_path / "run"), "--resume"]) == 2
    assert "checkpoint.pt is of a run with other options" in one_line(capsys)


def test_a_full_disk_is_one_line(tmp_path, data, monkeypatch, capsys):
    def full(self, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Checkpoint, "save", full)
    assert search(data, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("error: No space left on device: ") and "Traceback" not in told


def test_as_a_process_bad_input_is_one_line_at_once():
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "autobalance.search", "--epochs"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "") and time.monotonic() - begun < 10
    assert done.stderr == "error: argument --epochs: expected one argument (--help lists the options)\n"


# Interruption and resumption


def interrupt(monkeypatch, number):
    """Raises in the given report of progress: 1 to 4 are epochs of the search, 5 to 28 of the trainings."""
    calls, step = [], Display.step

    def counted(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Display, "step", counted)


@pytest.mark.parametrize("number", (1, 2, 4, 5, 8, 14, 28))
def test_an_interrupted_run_goes_on_to_the_end_of_an_uninterrupted_one(
    tmp_path, data, whole, monkeypatch, capsys, number
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt(patch, number)
        assert search(data, out) == 130
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == f"interrupted; continue with: python -m autobalance.search --out {out} --resume"
    kept = Checkpoint.load(out / "checkpoint.pt")
    assert kept.search["done"] == len(kept.history) == min(number, 4)
    assert len(kept.trainings) == max(0, (number - 5) // 4)
    assert not (out / "result.json").exists()
    assert main(told.split("autobalance.search ")[1].split()) == 0
    same_run(out, whole)
    for training, seconds in Checkpoint.load(out / "checkpoint.pt").trainings.items():
        if training in kept.trainings:
            assert kept.trainings[training] == seconds


def test_interrupted_several_times_and_within_an_epoch(tmp_path, data, whole, monkeypatch):
    out, batch = tmp_path / "run", Trainee.batch
    for number in (9, 3, 1):
        calls = []

        def stop(*args, calls=calls, number=number):
            calls.append(args)
            if len(calls) == number:
                raise KeyboardInterrupt
            return batch(*args)

        with monkeypatch.context() as patch:
            patch.setattr(Trainee, "batch", stop)
            assert search(data, out, *(["--resume"] if out.exists() else [])) == 130
    assert Checkpoint.load(out / "checkpoint.pt").search["done"] in (1, 2, 3)
    assert main(["--out", str(out), "--resume"]) == 0
    same_run(out, whole)


def test_an_interruption_before_anything_was_written_leaves_nothing(tmp_path, data, monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_run, "checked_plan", stop)
    assert search(data, tmp_path / "run") == 130
    assert capsys.readouterr().err.strip() == "interrupted"
    assert not (tmp_path / "run").exists()


def search_until_killed(data, out):
    """The search, which a signal that no process can handle ends in its third epoch."""
    calls = []
    torch.set_num_threads(1)
    _run.CHECKPOINT_SECONDS = -1.0
    Display.step = lambda *a, **k: calls.append(a) or len(calls) < 3 or os.kill(os.getpid(), signal.SIGKILL)
    search(data, out)


def test_a_killed_run_goes_on_to_the_end_of_an_uninterrupted_one(tmp_path, data, whole):
    out = tmp_path / "run"
    process = fresh.CONTEXT.Process(target=search_until_killed, args=(data, out))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Checkpoint.load(out / "checkpoint.pt").search["done"] == 3
    assert main(["--out", str(out), "--resume"]) == 0
    same_run(out, whole)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path, data, whole, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", lambda self, path: None)
        interrupt(patch, 2)
        assert search(data, out) == 130
    assert {path.name for path in out.iterdir()} == {"config.yaml", "data.json", "history.jsonl"}
    assert main(["--out", str(out), "--resume"]) == 0
    same_run(out, whole)
