"""The command under torchrun: the same loss, and one voice."""

import json
import os
import subprocess
import sys

import pytest

from autobalance.search import main

OPTIONS = ["--model", "linear", "--epochs", "6", "--every", "5", "--seeds", "1"]


def under_torchrun(*options):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "autobalance.search", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)


def test_two_processes_find_the_loss_of_one(tmp_path, capsys):
    done = under_torchrun(*OPTIONS, "--out", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The search took") == 1
    assert main([*OPTIONS, "--out", str(tmp_path / "one")]) == 0
    two, one = (json.loads((tmp_path / name / "loss.json").read_text())["parameters"] for name in ("two", "one"))
    for name in ("w", "l", "delta"):
        assert two[name] == pytest.approx(one[name], rel=1e-4, abs=1e-6)
        assert len(set(one[name])) > 1


def test_engines_for_one_process_are_refused_in_several(tmp_path):
    done = under_torchrun(*OPTIONS, "--hypergradient", "one-step", "--out", str(tmp_path / "run"))
    assert done.returncode != 0
    assert done.stderr.count("error: --hypergradient one-step runs in one process") == 1
    assert not (tmp_path / "run").exists()
