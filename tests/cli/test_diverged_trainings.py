"""Trainings that diverge count as constant predictions and are named; the others go on."""

import pytest
from run_case import OPTIONS, read, search, write_data

from autobalance.training import train

CHOOSING = [*OPTIONS[:-2], "--candidates", "ce"]


def breaking(monkeypatch):
    """Every training of cross-entropy diverges, those of other losses go on."""

    def train_or_break(model, samples, loss, *arguments):
        if not loss.l.any() and (loss.w == loss.w[0]).all():
            raise FloatingPointError("the training loss is nan in epoch 2; lower the learning rate, `lr`")
        train(model, samples, loss, *arguments)

    monkeypatch.setattr("autobalance.training._arm.train", train_or_break)


def test_they_are_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    data = write_data(tmp_path / "data.npz")
    with monkeypatch.context() as patch:
        breaking(patch)
        assert search(data, tmp_path / "run", options=CHOOSING) == 0
        told = " ".join(capsys.readouterr().out.split())
        page = (tmp_path / "run" / "report.html").read_text()
        patch.setattr("autobalance.cli._run.write_report", lambda directory: None)
        assert search(data, tmp_path / "run", "--resume", options=()) == 0
    result, why = read(tmp_path / "run"), "the training loss is nan in epoch 2; lower the learning rate, `lr`"
    assert result["diverged"] == {"choice": {f"ce/{k}": why for k in range(3)}, "retrain": {"ce/0": why, "ce/1": why}}
    assert result["test"]["ce"]["balanced_error_by_seed"] == pytest.approx([75.0, 75.0])
    assert result["held_out"]["ce"] == pytest.approx(75) and result["chosen"] in ("searched", "la")
    for phase, which in (("choice", "fold 0, 1, 2"), ("retrain", "seed 0, 1")):
        sentence = f"Diverged in the {phase}, and counts as a constant prediction: cross-entropy ({which})."
        assert sentence in told and sentence in page, phase
    assert "lower the learning rate, lr" in told
    with monkeypatch.context() as patch:
        patch.setattr("autobalance.cli._run.write_report", lambda directory: None)
        assert search(data, tmp_path / "whole", options=CHOOSING) == 0
    whole = read(tmp_path / "whole")
    assert "diverged" not in whole and whole["test"]["la"] == result["test"]["la"]  # untouched by what diverged
