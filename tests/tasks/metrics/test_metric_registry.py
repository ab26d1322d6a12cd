"""A metric from outside the package is known everywhere."""

import json
import math

import numpy as np
import pytest
import torch

import autobalance
from autobalance import Recipe
from autobalance.common import InputError
from autobalance.search import main
from autobalance.study.report import write_report
from autobalance.tasks.metrics import Metric, metric_named, metrics, register, unregister


def largest(output, batch, context):
    """How large the first class's share of the predictions is, softly."""
    return torch.softmax(output, 1)[:, 0].mean()


@pytest.fixture
def own():
    metric = register(
        Metric(
            "first_share",
            "first class's share",
            "First class's share: how often the first class is predicted.",
            lambda output, batch, context: 100 * (output.argmax(1) == 0).double().mean().item(),
            largest,
            option="first",
        )
    )
    yield metric
    unregister("first")


def draw(seed, counts=(40, 20, 10)):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(3).repeat_interleave(torch.tensor(counts))
    return torch.randn(len(y), 3, generator=generator) + 2 * torch.eye(3)[y], y


def test_a_search_makes_it_small(own):
    torch.manual_seed(0)
    result = autobalance.search_loss(
        torch.nn.Linear(3, 3), draw(0), draw(1), objective="first", recipe=Recipe(epochs=6, batch_size=16),
        outer=autobalance.OuterLoop(every=5, lr=0.2), free=["l"], tie="class",
    )  # fmt: skip
    assert result.loss.l[0] > max(result.loss.l[1:])  # a class that is trained with a larger logit is predicted less
    assert result.history[-1]["objective_metric"] < result.history[1]["objective_metric"]


def test_result_and_report_of_a_run_have_it(own, tmp_path, no_page):
    data = {f"{name}_{part}": value.numpy() for seed, part in enumerate(("train", "test"))
            for name, value in zip("xy", draw(seed), strict=True)}  # fmt: skip
    np.savez(tmp_path / "data.npz", **data)
    run = [
        "--model",
        "linear",
        "--epochs",
        "4",
        "--batch-size",
        "16",
        "--every",
        "5",
        "--seeds",
        "1",
        "--confidence",
        "0",
    ]
    given = ["--data", str(tmp_path / "data.npz"), "--objective", "0.5*first + first", "--baselines", "ce"]
    assert main([*given, *run, "--out", str(tmp_path / "sum")]) == 0
    found = json.loads((tmp_path / "sum" / "result.json").read_text())["test"]["ce"]
    assert found["objective"] == pytest.approx(1.5 * found["first_share"]) and found["first_share"] > 0
    page = write_report(tmp_path / "sum").read_text()
    assert "0.5*first + first: the objective, on the test samples" in page
    assert main([*given[:3], "first", *given[4:], *run, "--out", str(tmp_path / "one")]) == 0
    page = write_report(tmp_path / "one").read_text()
    assert "first class&#39;s share %" in page and "how often the first class is predicted" in page


def test_what_is_not_registered_is_not_known(own):
    assert metric_named("first") is metric_named("first_share") is own
    assert own in metrics()
    with pytest.raises(InputError, match="a metric called first is registered already"):
        register(own)
    unregister("first")
    with pytest.raises(InputError, match="no metric is called 'first'; there are balanced_error"):
        metric_named("first")
    register(own)


def test_what_is_made_small_is_better_lower():
    with pytest.raises(InputError, match="turn the score into 1 less the score"):
        Metric("up", "up", "", lambda *_: math.nan, largest, better="higher")
