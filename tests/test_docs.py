"""The scripts in docs/ run as they stand."""

import subprocess
import sys
from pathlib import Path

import autobalance

DOCS = Path(__file__).parent.parent / "docs"


def test_use_loss_trains(tmp_path: Path) -> None:
    counts = [128, 99, 76, 59, 46, 35, 27, 21, 16, 12]
    autobalance.save_loss(autobalance.fixed_point("vs", class_counts=counts, gamma=0.1), tmp_path / "loss.json")
    command = [sys.executable, str(DOCS / "use_loss.py"), str(tmp_path / "loss.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    values = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines()]
    assert len(values) == 20
    assert values[-1] < 0.2 < values[0]
