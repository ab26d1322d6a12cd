"""The scripts in docs/ run as they stand."""

import runpy
import sys
from pathlib import Path

import pytest

import autobalance

DOCS = Path(__file__).parent.parent / "docs"


def test_use_loss_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    counts = [128, 99, 76, 59, 46, 35, 27, 21, 16, 12]
    autobalance.save_loss(autobalance.fixed_point("vs", class_counts=counts, gamma=0.1), tmp_path / "loss.json")
    monkeypatch.setattr(sys, "argv", ["use_loss.py", str(tmp_path / "loss.json")])
    runpy.run_path(str(DOCS / "use_loss.py"), run_name="__main__")
    values = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(values) == 20
    assert values[-1] < 0.2 < values[0]
