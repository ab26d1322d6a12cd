"""Small comparisons for the tests: a linear model on the digits, few epochs."""

from __future__ import annotations

import json
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from autobalance.compare import main

ROOT = Path(__file__).parents[1]
QUICK = ["--model", "linear", "--epochs", "3"]


def compare(out: Path, *arguments: str) -> dict[str, Any]:
    """Runs the command in this process and returns ``results.json``."""
    assert main([*QUICK, "--out", str(out), *arguments]) == 0
    return json.loads((out / "results.json").read_text())


def start(out: Path, *arguments: str) -> BaseProcess:
    """The command in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=main, args=([*arguments, "--out", str(out)],))
    process.start()
    return process


def without_costs(results: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same each time: all but seconds and memory."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(its) for key, its in value.items() if key not in ("seconds", "memory_mb")}
        return [strip(its) for its in value] if isinstance(value, list) else value

    stripped = strip(results)
    assert isinstance(stripped, dict)
    return stripped
