"""The comparison of regression losses: its figures again from its models, its tuning, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from autobalance import fixed_point, save_loss
from autobalance.cli._compare_options import parse
from autobalance.cli._setting import open_setting, recipe_of
from autobalance.common.density import bin_index
from autobalance.compare import main
from autobalance.losses import RegressionLoss
from autobalance.training import train

SHORT = ["--task", "regression", "--model", "linear", "--epochs", "8", "--batch-size", "16", "--bins", "6"]
Run = tuple[Path, dict[str, Any], list[str]]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A skewed target that is linear in the features but for noise."""
    rng = np.random.default_rng(0)
    x = rng.exponential(1.0, (160, 2))
    path = tmp_path_factory.mktemp("table") / "prices.csv"
    y = 100 + 20 * x[:, 0] - 10 * x[:, 1] + rng.normal(0, 5, 160)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": y}).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def run(table: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    given = ["--data", table, "--target", "price", *SHORT, "--many", "40", "--few", "10", "--seeds", "3"]
    given += ["--losses", "l1,sqinv,lds", "--tune", "3", "--include-search"]
    assert main([*given, "--out", str(out)]) == 0
    return out, json.loads((out / "results.json").read_text()), given


def test_the_figures_are_those_of_models_trained_by_hand(run: Run) -> None:
    out, results, given = run
    options = parse(given)[0]
    task = open_setting(options)
    problem, samples = task.problem, task.problem.train.join(task.problem.validation)
    edges = torch.tensor(problem.bin_edges, dtype=torch.float64)
    scale = problem.train.y.double().std(correction=0).item()
    loss = fixed_point("sqinv", targets=samples.y, bin_edges=edges, scale=scale)
    counts = bin_index(samples.y, edges).bincount(minlength=6)
    assert results["class_counts"] == counts.tolist()
    found = []
    for seed in range(3):
        model = task.new_model(seed)
        train(model, samples, loss, recipe_of(options, 0.02), seed)
        with torch.no_grad():
            e = (model.eval()(problem.test.x)[:, 0] - problem.test.y).double()
        bins = bin_index(problem.test.y, edges)
        by_bin = [e[bins == b].abs().mean().item() for b in range(6) if (bins == b).any()]
        few = counts[bins] < 10
        found.append([np.mean(by_bin), e.abs().mean(), (e**2).mean(), e.abs().log().mean().exp(), e[few].abs().mean()])
    row = pd.read_csv(out / "table.csv").set_index("method").loc["sqinv"]
    names = ("balanced_mae", "mae", "mse", "gm", "few")
    for name, mean, std in zip(names, np.mean(found, 0), np.std(found, 0, ddof=1), strict=True):
        assert row[f"{name}_mean"] == pytest.approx(mean, rel=1e-5)
        assert row[f"{name}_std"] == pytest.approx(std, rel=1e-3)
    text = (out / "table.md").read_text()
    assert f"{np.mean(found, 0)[0]:.4g} ± " in text and "MAE by bin" in text and "largest bin" in text
    assert "balanced MAE, test" in (out / "comparison.svg").read_text()


def test_methods_are_tuned_and_tested_by_the_balanced_mae(run: Run) -> None:
    methods = run[1]["methods"]
    assert set(methods) == {"l1", "sqinv", "lds", "autobalance"} and methods["sqinv"]["tuning"] is None
    tuning = methods["lds"]["tuning"]
    trials = tuning["trials"]
    assert len(trials) == 3 and tuning["tuned"] == ["ks", "sigma"] and trials[0]["hyper"] == {"ks": 5, "sigma": 2.0}
    assert all(trial["hyper"]["ks"] % 2 == 1 and isinstance(trial["hyper"]["ks"], int) for trial in trials)
    best = min(trials, key=lambda trial: (trial["validation_balanced_mae"], trial["validation_mae"]))
    assert methods["lds"]["hyper"] == best["hyper"]
    by_seed = {name: [r["balanced_mae"] for r in content["runs"]] for name, content in methods.items()}
    winner = min(by_seed, key=lambda name: sum(by_seed[name]))
    assert run[1]["best"] == winner and methods[winner]["p_against_best"] is None
    raw = [stats.ttest_rel(by_seed[name], by_seed[winner]).pvalue for name in by_seed if name != winner]
    shown = [methods[name]["p_against_best"] for name in by_seed if name != winner]
    assert min(shown) == pytest.approx(min(1, 3 * min(raw)))


def test_a_loss_from_a_file_has_bins_of_its_own(table: str, tmp_path: Path) -> None:
    save_loss(RegressionLoss([0.0, 110.0, 300.0], w=[0.5, 2.0], scale=20.0), tmp_path / "loss.json")
    given = ["--data", table, "--target", "price", *SHORT, "--losses", "l1", "--seeds", "1"]
    searched = ["--searched", str(tmp_path / "loss.json")]
    assert main([*given, *searched, "--out", str(tmp_path / "run")]) == 0
    runs = json.loads((tmp_path / "run" / "results.json").read_text())["methods"]
    assert runs["searched"]["runs"][0]["mae"] != runs["l1"]["runs"][0]["mae"]
    assert main(["--model", "linear", *searched, "--out", str(tmp_path / "digits")]) == 2


def test_a_training_that_diverges_counts_as_the_mean(table: str, tmp_path: Path) -> None:
    given = ["--data", table, "--target", "price", *SHORT, "--losses", "mse", "--seeds", "1", "--lr", "1e30"]
    assert main([*given, "--out", str(tmp_path / "run")]) == 0
    run = json.loads((tmp_path / "run" / "results.json").read_text())["methods"]["mse"]["runs"][0]
    problem = open_setting(parse(given)[0]).problem
    mean = torch.cat([problem.train.y, problem.validation.y]).mean()
    assert run["diverged"] and run["mae"] == pytest.approx((problem.test.y - mean).abs().mean().item(), rel=1e-5)
    assert run["pearson"] is None
    assert "count as the mean of the training targets" in (tmp_path / "run" / "table.md").read_text()


def test_the_defaults_and_all_are_those_of_the_task() -> None:
    options = parse(["--task", "regression"])[0]
    assert options.names == ("l1", "sqinv", "inv", "lds")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--losses", "la"], "'la' is no method for the --task regression"),
        (["--losses", "l1+drw"], "'l1+drw' is no method for the --task regression"),
        (["--shots", "9,3"], "--shots 9,3 has no effect here: give --many and --few"),
    ],
)
def test_bad_input(arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "diabetes", *SHORT, *arguments, "--out", str(tmp_path / "run")]) == 2
    assert word in capsys.readouterr().err
