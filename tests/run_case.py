"""A small data file and short runs of the command on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from toy import gaussians

from autobalance.search import main

OPTIONS = ["--model", "linear", "--epochs", "4", "--batch-size", "16", "--every", "5", "--unroll", "3", "--seeds", "2"]
OPTIONS += ["--strategy", "interleaved", "--confidence", "0"]  # without the choice, whose trainings take time
Array = NDArray[Any]


def write_data(
    path: Path,
    counts: Sequence[int] = (60, 30, 15, 8),
    test: Callable[[Array, Array], tuple[Array, Array]] | None = None,
) -> Path:
    """Gaussian classes in a .npz file; ``test`` changes its test samples."""
    train, held_out = gaussians(list(counts), 0), gaussians([20] * len(counts), 1)
    x, y = held_out.x.float().numpy(), held_out.y.numpy()
    if test is not None:
        x, y = test(x, y)
    np.savez(path, x_train=train.x.float().numpy(), y_train=train.y.numpy(), x_test=x, y_test=y)
    return path


def search(data: Path | str, out: Path, *more: str, options: Sequence[str] = OPTIONS) -> int:
    """The command's exit status."""
    return main(["--data", str(data), *options, "--out", str(out), *more])


def read(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "result.json").read_text())


def same_run(first: Path, second: Path) -> None:
    """Two runs found the same loss in the same way, with the same test errors."""
    for name in ("loss.json", "history.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert read(first)["test"] == read(second)["test"]
