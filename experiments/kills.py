"""Searches that are killed at random moments and resumed end as one that was not: ``python -m experiments.kills``.

One search runs undisturbed. Then the same command is started and killed (SIGKILL) after a random time, resumed, killed
again, and so on until it ends, again and again until there were enough kills. What it leaves has to be the same: loss
and history byte by byte, the choice and the test results. As a control, a search with another seed has to differ, by
the same comparison.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

#: A search of a few seconds, with all its phases.
OPTIONS = ["--model", "mlp", "--epochs", "12", "--seeds", "1"]
#: Runs end after so many kills at the latest, so that some are killed often and some seldom.
MOST_A_RUN = 6


class Process(Protocol):
    """A command that runs."""

    def kill(self) -> None:
        """Sends SIGKILL."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, below 0 that of a signal; raises subprocess.TimeoutExpired."""


#: Starts the search with these arguments.
Start = Callable[[list[str]], Process]


def start_command(arguments: list[str]) -> Process:
    """``python -m autobalance.search`` in a process of its own, silent."""
    command = [sys.executable, "-m", "autobalance.search", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def differences(first: Path, second: Path) -> list[str]:
    """What two runs left that is not the same."""
    names = ["loss.json", "history.jsonl"]
    found = [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()]
    results: list[dict[str, Any]] = [json.loads((each / "result.json").read_text()) for each in (first, second)]
    return found + [f"result.json: {key}" for key in ("test", "choice") if results[0].get(key) != results[1].get(key)]


class Killer:
    """Runs a search with kills.

    Args:
        start: starts it.
        options: of the search.
        duration: how long one takes, in seconds.
        seed: of the moments.
    """

    def __init__(self, start: Start, options: list[str], duration: float, seed: int) -> None:
        self._start, self._options, self._duration = start, options, duration
        self._random = random.Random(seed)
        #: Kills that hit a live process, and those of them after which there was a checkpoint.
        self.kills = self.after_checkpoint = 0

    def run(self, out: Path, most: int) -> None:
        """A run in the directory ``out``, killed ``most`` times at most, and resumed until it ends."""
        killed = 0
        while True:
            again = ["--resume"] if (out / "config.yaml").exists() else self._options
            process = self._start([*again, "--out", str(out)])
            try:
                status = process.wait(None if killed == most else self._random.uniform(0, self._duration))
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            if status == 0:
                return
            if status != -signal.SIGKILL:
                raise SystemExit(f"{out}: the search ended with exit status {status}")
            killed, self.kills = killed + 1, self.kills + 1
            self.after_checkpoint += (out / "checkpoint.pt").exists()


def main(arguments: list[str] | None = None, start: Start = start_command) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("options", nargs="*", default=OPTIONS, help="of the search, after --")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        begin = time.perf_counter()
        if start([*given.options, "--out", str(whole)]).wait() != 0:
            raise SystemExit("the search fails without any kill")
        killer = Killer(start, given.options, time.perf_counter() - begin, given.seed)
        runs, wrong = 0, []
        while killer.kills < given.kills:
            out, before = Path(folder) / f"killed{runs}", killer.kills
            killer.run(out, min(MOST_A_RUN, given.kills - killer.kills))
            other = differences(whole, out)
            wrong += other
            runs += 1
            outcome = f"differs in {', '.join(other)}" if other else "the same"
            print(f"run {runs}: {killer.kills - before} kills; {outcome}", flush=True)
        control = Path(folder) / "control"
        start([*given.options, "--seed", "1", "--out", str(control)]).wait()
        noticed = differences(whole, control)
    print(f"{killer.kills} kills in {runs} runs, {killer.after_checkpoint} of them after a checkpoint; control with "
          f"another seed: {'differs in ' + ', '.join(noticed) if noticed else 'the same'}")  # fmt: skip
    return int(bool(wrong) or not noticed)


if __name__ == "__main__":
    sys.exit(main())
