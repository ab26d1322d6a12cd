"""What callbacks, loggers, the bar and TensorBoard are told of a search."""

import logging
import re
from itertools import pairwise

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy import gaussians, linear

import autobalance
from autobalance.common import InputError

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 5], 1)
SHORT = {
    "recipe": autobalance.Recipe(epochs=6, batch_size=16),
    "outer": autobalance.OuterLoop(every=5, lr=0.1),
    "hypergradient": autobalance.Replay(3),
    "strategy": "interleaved",
    "free": ("w", "l"),
}


def search(**settings):
    return autobalance.search_loss(linear(3), TRAIN, VALIDATION, **{**SHORT, **settings})


class Kept(autobalance.Callback):
    def __init__(self):
        self.told = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda record: self.told.append((name.removeprefix("on_"), record))
        return super().__getattribute__(name)

    def of(self, event):
        return [record for name, record in self.told if name == event]


def test_every_event_of_a_search_is_told_in_order():
    kept, seen = Kept(), []
    result = search(callbacks=[kept], on_epoch=seen.append)
    assert kept.told[0] == ("search", {"steps": 6, "done": 0})
    assert kept.of("epoch") == result.history == seen
    told = kept.of("hypergradient")
    assert [record["step"] for record in told] == list(range(result.outer_steps)) and len(told) > 1
    assert all(record["finite"] and record["gradient"].keys() == record["value"].keys() for record in told)
    assert told[0]["value"]["l"].shape == told[0]["gradient"]["l"].shape
    assert not any(torch.equal(a["value"]["l"], b["value"]["l"]) for a, b in pairwise(told))
    search(strategy="interleaved")
    assert len(kept.of("epoch")) == 6  # it listens no longer


def test_the_choice_and_whole_trainings_are_told():
    kept = Kept()
    search(callbacks=(kept,), confidence=0.8)
    (begun,) = kept.of("choice")
    trained = kept.of("training")
    assert len(trained) == begun["trainings"] * begun["epochs"] and {record["epoch"] for record in trained} == {
        *range(1, 7)
    }
    whole = Kept()
    search(**{"strategy": "whole", "rounds": 1, "hypergradient": None, "outer": None, "callbacks": [whole]})
    shares = [record["done"] for record in whole.of("share")]
    assert shares == sorted(shares) and 0 < shares[0] < 1 and len(whole.of("hypergradient")) == 1


def test_what_is_no_callback_is_refused():
    for given in ([print], print, Kept):
        with pytest.raises(InputError, match=r"`callbacks` is .* a list of autobalance.Callback"):
            search(callbacks=given)


def test_loggers_under_the_name_of_the_package(caplog):
    with caplog.at_level(logging.INFO, "autobalance"):
        search()
    assert {record.name for record in caplog.records} == {"autobalance.search", "autobalance.epoch"}
    assert re.match(r"phase warm-up, epoch 1, train loss \S+, objective", caplog.records[1].message)
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "autobalance"):
        search()
    assert "autobalance.hypergradient" in {record.name for record in caplog.records}


def test_one_bar_from_the_first_epoch_to_the_last_training(capsys):
    search()
    assert capsys.readouterr().err == ""
    search(progress=True, confidence=0.8)
    said = capsys.readouterr()
    assert said.out == "" and "\n" not in said.err.strip()
    last = said.err.strip().split("\r")[-1]
    done, total = re.search(r"choice: 100%.* (\d+)/(\d+)", last).groups()
    assert done == total and int(total) > 6


def test_scalars_and_histograms_for_tensorboard(tmp_path):
    with autobalance.TensorBoard(tmp_path / "board") as board:
        result = search(callbacks=[board], confidence=0.8, tie="class")
    read = EventAccumulator(str(tmp_path / "board"), size_guidance={"histograms": 0, "scalars": 0})
    read.Reload()
    assert [(each.step, each.value) for each in read.Scalars("search/balanced_error")] == [
        (record["epoch"], pytest.approx(record["balanced_error"], rel=1e-6)) for record in result.history
    ]
    of_loss = read.Histograms("parameters/l")
    assert [each.step for each in of_loss] == [1, 2, 3, 4, 5, 6]
    values = result.history[-1]["parameters"]["l"]
    last = of_loss[-1].histogram_value
    assert (last.num, last.min, last.max) == (3, pytest.approx(min(values)), pytest.approx(max(values)))
    assert len(read.Histograms("hypergradient/l")) == len(read.Scalars("hypergradient/norm of w")) == result.outer_steps
    assert any(name.startswith("choice/la, fold 1 of") for name in read.Tags()["scalars"])


def test_without_the_extra_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"needs the extra autobalance\[tensorboard\]"):
        autobalance.TensorBoard(tmp_path)


@pytest.mark.parametrize(
    "settings", [{}, {"confidence": 0.8}, {"strategy": "auto", "hypergradient": None, "outer": None}]
)
def test_a_result_in_about_ten_lines(settings):
    result = search(**settings)
    shown = repr(result)
    assert len(shown.splitlines()) <= 11 and max(map(len, shown.splitlines())) <= 120
    assert "ParametricLoss(3 classes" in shown and "6 epochs, batches of 16" in shown
    if result.choice is None:
        assert "none was asked for" in shown
    else:
        assert f"choice    {result.choice.chosen}" in shown and f"confidence {result.choice.confidence:.2f}" in shown
