"""A cluster of two nodes, one of which is killed in the middle: all cells are done, as without a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cell_cases import expected, numbers, refuses

from autobalance.common import InputError
from autobalance.study import Cell, Cluster, Directory, run_cells

pytest.importorskip("distributed")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and two nodes: processes of their own, which nobody starts again."""
    folder = tmp_path_factory.mktemp("cluster")
    paths = os.pathsep.join([str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")])
    settings = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.Popen(command, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    place = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", "scheduler.json"]
    scheduler = start("distributed.cli.dask_scheduler", *place)
    until = time.monotonic() + 60
    while not (folder / "scheduler.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    import json

    address = json.loads((folder / "scheduler.json").read_text())["address"]
    worker = ["distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    nodes = [start(*worker, "--name", name) for name in ("one", "two")]
    yield address, nodes
    for process in [*nodes, scheduler]:
        process.kill()
        process.wait()


def test_a_node_is_killed_in_the_middle(cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path) -> None:
    address, nodes = cluster
    cells, notes, number = numbers(tmp_path / "notes", 12, 0.3), tmp_path / "notes", 12

    class Kills:
        """Shows nothing; kills a node once both have begun something and one cell is done."""

        killed: list[int] = []  # noqa: RUF012

        def say(self, text: str) -> None:
            return

        def phase(self, name: str, total: int, done: int = 0, quiet_for: float = 0.0) -> None:
            return

        def step(self, done: int, figures: str) -> None:
            at_work = {int(path.name.split("-")[1]) for path in notes.iterdir()}
            if done and not self.killed and {node.pid for node in nodes} <= at_work:
                nodes[0].send_signal(signal.SIGKILL)
                self.killed.append(nodes[0].pid)

    found = run_cells(cells, Directory(tmp_path / "out"), Cluster(address), Kills())
    assert Kills.killed and nodes[0].wait() == -signal.SIGKILL
    assert found == expected(number) == run_cells(numbers(tmp_path / "here", number), Directory(tmp_path / "alone"))
    files = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.json")}
    assert len(files) == number + 1
    begun = [path.name.split("-")[0] for path in notes.iterdir()]
    assert len(set(begun)) == number + 1 and len(begun) > len(set(begun)), "what died with the node was done again"


def test_errors_come_back_from_a_node(cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such colour"):
        run_cells([Cell("a", refuses, {})], Directory(tmp_path), Cluster(cluster[0]))


def test_a_cluster_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autobalance.study._cluster.PATIENCE", 0.3)
    with pytest.raises(InputError, match=r"`cluster` tcp://127\.0\.0\.1:1 cannot be reached"):
        run_cells([Cell("a", refuses, {})], Directory(tmp_path), Cluster("tcp://127.0.0.1:1"))
