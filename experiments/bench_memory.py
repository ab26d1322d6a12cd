"""Peak memory and time of a whole search of many rows or classes: ``python -m experiments.bench_memory``.

Rows of a long-tailed mixture of normal distributions go to a file; the command then searches on it, once without the
choice at its end and once with it, each in a process of its own, whose largest resident memory the system reports.
With ``--outer-steps 500`` it searches from Python instead and reports the resident memory as hypergradient steps go by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

#: What the runs are called, and the options that make them so.
RUNS = {"without the choice": ["--confidence", "0"], "with the choice": []}


def write_rows(path: Path, rows: int, columns: int, classes: int) -> None:
    """A .npz file: four rows in five to train on, the rest to test; the classes' shares fall to a tenth."""
    generator = np.random.default_rng(0)
    shares = 0.1 ** (np.arange(classes) / max(classes - 1, 1))
    y = generator.choice(classes, rows, p=shares / shares.sum())
    y[: 10 * classes] = np.tile(np.arange(classes), 10)  # no class goes without
    y = y[generator.permutation(rows)]
    x = generator.normal(size=(classes, columns)).astype(np.float32)[y] * 0.3
    x += generator.standard_normal((rows, columns), dtype=np.float32)
    first = rows * 4 // 5
    np.savez(path, x_train=x[:first], y_train=y[:first], x_test=x[first:], y_test=y[first:])


def measure(data: Path, out: Path, options: list[str]) -> dict[str, Any]:
    """Runs the search in a fresh process.

    Returns:
        its exit status, seconds on the clock, largest resident memory in MiB and the largest file it left.
    """
    command = [sys.executable, "-m", "autobalance.search", "--data", str(data), "--out", str(out), *options]
    begin = time.perf_counter()
    with (out.parent / f"{out.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    largest = max((file.stat().st_size, file.name) for file in out.iterdir()) if out.exists() else (0, "")
    return {
        "status": process.returncode,
        "seconds": round(time.perf_counter() - begin, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "largest_file_mb": round(largest[0] / 2**20, 1),
        "largest_file": largest[1],
    }


def resident_mb() -> float:
    """Resident memory of this process, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def over_steps(number: int) -> list[dict[str, Any]]:
    """The resident memory over at least ``number`` hypergradient steps of one search: a row after each tenth of it."""
    import torch
    from torch import nn

    from autobalance import OuterLoop, Recipe, Replay, search_loss

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    parts = []
    for counts in ([200] * 5 + [40] * 5, [40] * 10):
        y = torch.arange(10).repeat_interleave(torch.tensor(counts))
        parts.append((torch.eye(10)[y] * 2 + torch.randn(len(y), 10, generator=generator), y))
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 10))
    every, batch = 8, 64
    epochs = -(-number * every // round(len(parts[0][1]) / batch)) + 1
    found = []

    def on_epoch(record: dict[str, Any]) -> None:
        if record["epoch"] % max(1, epochs // 10) == 0:
            found.append({"epoch": record["epoch"], "resident_mb": resident_mb()})

    recipe, outer = Recipe(epochs=epochs, batch_size=batch), OuterLoop(every=every, warmup=0.0)
    within: Any = {"strategy": "interleaved", "recipe": recipe, "outer": outer, "hypergradient": Replay(5)}
    result = search_loss(model, *parts, on_epoch=on_epoch, **within)
    return [{**row, "outer_steps": round(row["epoch"] / epochs * result.outer_steps)} for row in found]


def keep(found: list[dict[str, Any]], path: Path | None) -> int:
    """Writes the rows to a file, if one is asked for, and gives the exit status: 1 where a run failed."""
    if path is not None:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return max(row.get("status", 0) != 0 for row in found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--outer-steps", type=int, help="instead: resident memory over so many hypergradient steps")
    parser.add_argument("--json", type=Path, help="where the rows of the table go as well")
    parser.add_argument("options", nargs="*", help="more options of the search, after --")
    arguments = parser.parse_args()
    found = []
    if arguments.outer_steps is not None:
        found = over_steps(arguments.outer_steps)
        print(*map(json.dumps, found), sep="\n")
        return keep(found, arguments.json)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.npz"
        write_rows(data, arguments.rows, arguments.columns, arguments.classes)
        for number, (what, more) in enumerate(RUNS.items()):
            row = {"run": what, **measure(data, Path(folder) / str(number), [*arguments.options, *more])}
            found.append(row)
            print(json.dumps(row), flush=True)
            if row["status"]:
                print((Path(folder) / f"{number}.log").read_text(encoding="utf-8", errors="replace")[-500:])
    return keep(found, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
