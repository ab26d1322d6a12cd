"""The search for a regression loss is the classification search on another index: from the command to the report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autobalance import load_fds, load_loss
from autobalance.bilevel import InterleavedSearch, LossSpace, choose
from autobalance.cli import _config as config
from autobalance.cli._config import Options, parse
from autobalance.cli._plan import checked_plan
from autobalance.common import InputError
from autobalance.data import Batch, DataOptions, load
from autobalance.losses import RegressionLoss
from autobalance.losses.named import fixed_point
from autobalance.search import main
from autobalance.tasks import outputs, task_of
from autobalance.tasks.objectives import objective_names
from autobalance.training import train

SHORT = ["--task", "regression", "--strategy", "interleaved", "--model", "linear", "--epochs", "4",
         "--batch-size", "16", "--every", "5", "--unroll", "3", "--lr", "0.02"]  # fmt: skip
RUN = ["--confidence", "0", *SHORT, "--seeds", "2", "--bins", "6", "--shots", "40,10", "--baselines", "l1,lds"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A skewed target that is linear in the features but for noise."""
    rng = np.random.default_rng(0)
    x = rng.exponential(1.0, (150, 3))
    y = 100 + 20 * x @ [1.0, 2.0, -0.5] + rng.normal(0, 5, 150)
    path = tmp_path_factory.mktemp("table") / "prices.csv"
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "price": y}).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("regression") / "run"
    assert main(["--data", table, "--target", "price", *RUN, "--out", str(out)]) == 0
    return out


def result_of(directory: Path):
    return json.loads((directory / "result.json").read_text())


def test_the_options_of_a_task_are_its_own():
    given = ["--data", "diabetes", "--task", "regression", "--model", "linear"]
    checked = checked_plan(parse([*given, "--start", "lds"])[0])
    assert (checked.plan.objective, checked.plan.free, checked.plan.start) == ("balanced_mae", ("w",), "lds")
    assert checked.recipe.lr == 0.02 and checked_plan(parse([*given, "--lr", "0.3"])[0]).recipe.lr == 0.3
    assert checked.task.defaults.baselines == ("l1", "sqinv", "inv", "lds") and parse(given)[0].shots is None
    assert parse(["--shots", " 7, 3"])[0].shots == (7, 3)
    assert parse([])[0] == Options()
    problem = load("diabetes", DataOptions(task="regression", bins=5))
    assert objective_names(task_of(problem).context) == config.REGRESSION_OBJECTIVES


def test_a_run_leaves_figures_loss_and_report(done, table):
    result = result_of(done)
    assert set(result["test"]) == {"searched", "l1", "lds"} and result["task"] == "regression"
    assert {"balanced_mae", "mae", "mse", "gm", "shots", "pearson", "spearman"} <= set(result["test"]["searched"])
    assert set(result["test"]["lds"]["shots"]) == {"many", "medium", "few"}
    assert (
        len(result["bin_edges"]) == 7 and sum(result["class_counts"]) == result["num_train"] + result["num_validation"]
    )
    loss = load_loss(done / "loss.json")
    assert isinstance(loss, RegressionLoss) and loss.bin_edges.tolist() == pytest.approx(result["bin_edges"])
    assert loss.w.std() > 0 and loss.error == "l1"
    page = (done / "report.html").read_text()
    assert "Weight w by bin" in page and "LDS" in page and "inverse counts" in page and "balanced error" not in page
    history = [json.loads(line) for line in (done / "history.jsonl").read_text().splitlines()]
    assert [set(record) & {"mae", "balanced_mae", "balanced_error"} for record in history] == [
        {"mae", "balanced_mae"}
    ] * 4


def test_the_test_figures_are_those_of_a_model_trained_by_hand(done, table):
    from autobalance.cli._setting import recipe_of
    from autobalance.training import train

    options = parse(["--config", str(done / "config.yaml")])[0]
    checked, result = checked_plan(options), result_of(done)
    problem = checked.setting.problem
    y = torch.cat([problem.train.y, problem.validation.y])
    edges = torch.tensor(problem.bin_edges, dtype=torch.float64)
    loss = fixed_point("lds", targets=y, bin_edges=edges, scale=problem.train.y.double().std(correction=0).item())
    model = checked.setting.new_model(1)
    train(model, problem.train.join(problem.validation), loss, recipe_of(options, 0.02), 1)
    with torch.no_grad():
        found = model.eval()(problem.test.x)[:, 0]
    expected = checked.task.test(found, problem.test, torch.tensor(result["class_counts"]))
    assert checked.task.shots == (40, 10)
    assert expected["mae"] == pytest.approx((found - problem.test.y).abs().mean().item())
    for name in ("mae", "mse", "gm", "balanced_mae"):
        assert result["test"]["lds"][f"{name}_by_seed"][1] == pytest.approx(expected[name], rel=1e-5)
    for shot, figures in expected["shots"].items():
        assert result["test"]["lds"]["shots"][shot]["mae_by_seed"][1] == pytest.approx(figures["mae"], rel=1e-5)


def test_a_run_ends_as_an_interrupted_and_resumed_one(done, table, tmp_path, monkeypatch, no_page):
    step, out = InterleavedSearch.step, tmp_path / "run"

    def stop(self, state, on_share):
        if state.done == 2:
            raise KeyboardInterrupt
        return step(self, state, on_share)

    monkeypatch.setattr(InterleavedSearch, "step", stop)
    assert main(["--data", table, "--target", "price", *RUN, "--out", str(out)]) == 130
    monkeypatch.setattr(InterleavedSearch, "step", step)
    monkeypatch.setattr("autobalance.study.report.results_table", lambda result: "")
    assert main(["--out", str(out), "--resume"]) == 0
    assert (out / "loss.json").read_bytes() == (done / "loss.json").read_bytes()
    assert result_of(out)["test"] == result_of(done)["test"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--free", "w,l"], "'l' has no effect on the loss to start from: free any of w"),
        (["--start", "la"], "no regression loss is called 'la'; there are l1"),
        (["--baselines", "ce"], "no regression loss is called 'ce'"),
        (["--objective", "error"], "for regression there are balanced_mae"),
    ],
)
def test_options_that_do_not_suit_a_regression(arguments, words, capsys, tmp_path):
    assert main(["--data", "diabetes", *SHORT, *arguments, "--out", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err


def test_options_that_suit_only_a_regression(capsys, tmp_path):
    for option, value, words in [
        ("--bins", "5", "--bins 5 has no effect"),
        ("--objective", "mae", "no objective is called 'mae'"),
        ("--shots", "2,5", "'2,5' is not two whole numbers, the larger one first"),
    ]:
        assert main(["--model", "linear", option, value, "--out", str(tmp_path / "run")]) == 2
        assert words in capsys.readouterr().err


def test_features_are_smoothed_behind_the_layer_that_is_named(table, tmp_path, capsys, no_page):
    out, given = tmp_path / "run", ["--data", table, "--target", "price", *RUN, "--model", "mlp"]
    assert main([*given, "--fds-layer", "body.2", "--out", str(out)]) == 0
    assert main([*given, "--out", str(tmp_path / "plain")]) == 0
    assert (out / "loss.json").read_bytes() != (tmp_path / "plain" / "loss.json").read_bytes()
    assert not (tmp_path / "plain" / "fds.json").exists()
    assert json.loads((out / "fds.json").read_text())["strength"] == 1
    with_fds, without = (result_of(run)["test"]["lds"]["mae_by_seed"] for run in (out, tmp_path / "plain"))
    assert all(a != b for a, b in zip(with_fds, without, strict=True))
    capsys.readouterr()
    assert main([*given, "--fds-layer", "body.9", "--out", str(tmp_path / "none")]) == 2
    assert "no layer 'body.9': it has input, body, body.0" in capsys.readouterr().err
    assert main(["--fds-layer", "input", "--out", str(tmp_path / "none")]) == 2
    assert "--fds-layer input has no effect" in capsys.readouterr().err
    assert main([*given, "--free", "w,fds", "--out", str(tmp_path / "none")]) == 2
    assert (
        "'fds' cannot be searched: the model has no feature smoothing; --fds-layer names the layer"
        in capsys.readouterr().err
    )
    for option, word in [(["--hypergradient", "one-step", "--unroll", "1"], "one-step"), (["--compiled"], "compiled")]:
        assert main([*given, *option, "--fds-layer", "last", "--out", str(tmp_path / "none")]) == 2
        assert word in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_strength_of_the_smoothing_is_searched_saved_and_used_again(table, tmp_path):
    out, given = tmp_path / "run", ["--data", table, "--target", "price", *RUN, "--model", "mlp"]
    smoothed = ["--free", "w,fds", "--fds-layer", "body.2", "--outer-lr", "0.2"]
    assert main([*given, *smoothed, "--out", str(out)]) == 0
    result, history = result_of(out), [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    strengths = [record["fds"] for record in history]
    assert strengths[0] == 0.5 and abs(strengths[-1] - 0.5) > 1e-3
    saved = json.loads((out / "fds.json").read_text())
    assert 0 <= saved["strength"] <= 1 and saved["strength"] == result["search"]["fds_strength"]
    # What a user trains with the two files is what the command tested.
    options = parse(["--config", str(out / "config.yaml")])[0]
    checked = checked_plan(options)
    problem = checked.setting.problem
    torch.manual_seed(0)
    model = load_fds(out / "fds.json", checked.setting.new_model(0), problem.train.x[:1])
    train(model, problem.train.join(problem.validation), load_loss(out / "loss.json"), checked.recipe, 0)
    tested = checked.task.test(outputs(model, problem.test), problem.test, checked.counts)
    assert tested["mae"] == pytest.approx(result["test"]["searched"]["mae_by_seed"][0], rel=1e-4)


def test_where_a_fixed_loss_is_chosen_the_smoothing_is_the_one_that_it_was_trained_with(
    table, tmp_path, monkeypatch, no_page
):
    monkeypatch.setattr("autobalance.bilevel._select.choose", lambda *rest: choose(*rest[:5], 1.1))
    out, given = tmp_path / "run", ["--data", table, "--target", "price", *RUN, "--baselines", "sqinv"]
    free = ["--free", "w,fds", "--fds-layer", "last", "--outer-lr", "0.2", "--confidence", "0.5"]
    assert main([*given, *free, "--out", str(out)]) == 0
    assert result_of(out)["chosen"] == "sqinv" and result_of(out)["search"]["fds_strength"] != 1
    assert json.loads((out / "fds.json").read_text())["strength"] == 1


def test_l_and_delta_of_balanced_mse_are_searched(table, tmp_path):
    out, given = tmp_path / "run", ["--data", table, "--target", "price", *RUN, "--start", "balanced-mse"]
    assert main([*given, "--free", "w,l,delta", "--tie", "class", "--outer-lr", "0.2", "--out", str(out)]) == 0
    loss = load_loss(out / "loss.json")
    assert loss.error == "balanced-mse" and loss.l.mean().abs() < 1e-5
    assert min(loss.w.std(), loss.l.std(), loss.delta.std()) > 1e-3
    page = (out / "report.html").read_text()
    assert "l by bin" in page and "Δ by bin" in page and result_of(out)["search"]["free"] == ["w", "l", "delta"]
    record = json.loads((out / "history.jsonl").read_text().splitlines()[-1])
    assert {name: len(values) for name, values in record["parameters"].items()} == {"w": 6, "l": 6, "delta": 6}


def space_of(error="l1", free=("w",), tie="class", counts=(9, 0, 4, 1)):
    start = RegressionLoss(range(5), error=error, dtype=torch.float64)
    return LossSpace(start, torch.tensor(counts), free, tie)


def test_bins_may_be_empty_and_the_gauge_is_over_the_samples():
    space = space_of(tie="frequency")
    w = space.parameters({"w": torch.tensor([0.7], dtype=torch.float64)})["w"]
    counts = torch.tensor([9.0, 0, 4, 1], dtype=torch.float64)
    assert (w @ counts).item() == pytest.approx(14)
    slope = counts.clamp_min(1).log()  # up to a constant and a factor
    ratio = (w / w[3]).log()
    torch.testing.assert_close(ratio, ratio[0] * (slope - slope[3]) / (slope[0] - slope[3]))


@pytest.mark.parametrize("error, free", [("l1", ["w"]), ("huber", ["w"]), ("balanced-mse", ["w", "l", "delta"])])
def test_the_training_loss_is_differentiable_in_what_is_searched(error, free):
    space = space_of(error, free)
    generator = torch.Generator().manual_seed(0)
    y = 4 * torch.rand(6, generator=generator, dtype=torch.float64)
    output = (y + torch.randn(6, generator=generator, dtype=torch.float64))[:, None]
    raw = [0.3 * torch.randn(4, generator=generator, dtype=torch.float64) for _ in free]

    def value(*numbers):
        return space.train_loss(dict(zip(free, numbers, strict=True)), output, Batch(torch.empty(6, 0), y))

    assert torch.autograd.gradcheck(value, [number.requires_grad_() for number in raw])
    found = space.loss(dict(zip(free, raw, strict=True)))
    assert found(output, y).item() == pytest.approx(value(*raw).item(), rel=1e-12)
    assert value(*raw).item() != pytest.approx(space.start(output, y).item(), rel=1e-3)


def test_the_task_of_a_problem():
    problem = load("diabetes", DataOptions(task="regression", bins=5))
    task = task_of(problem)
    assert task.counts(problem.train).sum() == len(problem.train)
    assert task.fixed_loss("balanced-mse", task.counts(problem.train)).noise_sigma.item() == pytest.approx(0.2)
    inner = problem.train.y
    by_hand = [
        ((inner >= a) & (inner < b)).sum().item()
        for a, b in zip(problem.bin_edges, problem.bin_edges[1:], strict=False)
    ]
    by_hand[-1] += (inner == inner.max()).sum().item()
    assert task.counts(problem.train).tolist() == by_hand
    with pytest.raises(InputError, match="`shots` are"):
        task_of(problem, (1, 3))


def test_the_model_answers_in_the_unit_of_the_target():
    checked = checked_plan(parse(["--data", "diabetes", *SHORT])[0])
    problem = checked.setting.problem
    with torch.no_grad():
        output = checked.setting.new_model(0).eval()(problem.test.x)
    assert output.shape == (len(problem.test), 1)
    assert abs(output.mean() - problem.train.y.mean()) < 2 * problem.train.y.std()
