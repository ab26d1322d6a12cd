"""A run has its directory for itself: two that start together get two, and a lock keeps others out of one at work."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from autobalance.cli._options import RunOptions
from autobalance.cli._run_directory import LOCK, run_directory
from autobalance.common import InputError

#: Takes the directory, says so, and stays until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
from autobalance.cli._run_directory import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@dataclass(frozen=True)
class Given(RunOptions):
    pass


def test_runs_that_start_together_get_a_directory_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def one(number: int) -> Path:
        with run_directory(Given(), False) as directory:
            (directory / "mine").write_text(str(number))
        return directory

    with ThreadPoolExecutor(8) as threads:
        places = list(threads.map(one, range(16)))
    assert len(set(places)) == 16
    assert [(place / "mine").read_text() for place in places] == [str(number) for number in range(16)]
    assert not list(tmp_path.rglob(LOCK))


@pytest.mark.parametrize("resume", [False, True])
def test_a_directory_at_work_is_refused_with_who_works_in_it(tmp_path: Path, resume: bool) -> None:
    words = rf"another run is at work in .* \(process {os.getpid()} on {socket.gethostname()}, since .*another --out"
    with run_directory(Given(out=str(tmp_path)), resume):
        with pytest.raises(InputError, match=words), run_directory(Given(out=str(tmp_path)), resume):
            pass
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    with run_directory(Given(out=str(tmp_path)), resume):  # it is over
        pass


def test_the_lock_of_a_killed_run_keeps_nobody_out(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"process {process.pid} "), run_directory(Given(out=str(tmp_path)), True):
            pass
        process.kill()
    assert (tmp_path / LOCK).exists()
    with run_directory(Given(out=str(tmp_path)), True):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_a_directory_in_which_nothing_began_is_gone(tmp_path: Path) -> None:
    with pytest.raises(KeyError), run_directory(Given(out=str(tmp_path / "new")), False):
        raise KeyError
    assert not (tmp_path / "new").exists()
    with run_directory(Given(out=str(tmp_path)), False):
        pass
    assert tmp_path.exists()  # it was there before


def test_an_empty_out_is_refused() -> None:
    with pytest.raises(InputError, match="--out is empty"), run_directory(Given(out=""), False):
        pass
