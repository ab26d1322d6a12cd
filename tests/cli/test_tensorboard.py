"""A run that is written for TensorBoard."""

import json

import pytest
from run_case import OPTIONS, search, write_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_the_course_of_a_run_and_of_a_resumed_one(tmp_path, monkeypatch, no_page):
    monkeypatch.setattr("autobalance.study.report.results_table", lambda result: "")
    data, out = write_data(tmp_path / "data.npz"), tmp_path / "run"
    assert search(data, out, options=[*OPTIONS, "--tensorboard"]) == 0
    read = EventAccumulator(str(out / "tensorboard"))
    read.Reload()
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    shown = [(each.step, each.value) for each in read.Scalars("search/train_loss")]
    assert shown == [(record["epoch"], pytest.approx(record["train_loss"], rel=1e-6)) for record in history]
    assert search(data, tmp_path / "plain") == 0 and not (tmp_path / "plain" / "tensorboard").exists()
    assert (out / "loss.json").read_text() == (tmp_path / "plain" / "loss.json").read_text()
