"""Two processes on their own rows compute what one process computes on the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import parallel_case
import pytest
import torch


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_two_processes_equal_one(tmp_path, kind):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    case = [parallel_case.__file__, str(tmp_path / "two.pt"), kind, "parallel"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    subprocess.run([*launch, *case], check=True, env=environment, timeout=120, capture_output=True)
    try:
        parallel_case.main(tmp_path / "one.pt", kind)
    finally:
        torch.set_default_dtype(torch.float32)
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-10, atol=1e-14)
