"""The suite: nothing chosen on judging samples, resumable, and verdicts that follow from the figures."""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import experiments.suite._grid as grid_module
from autobalance.losses.named import fixed_point
from autobalance.study import Desk, Processes, named_method
from experiments.suite.__main__ import main
from experiments.suite._case import open_case
from experiments.suite._fixed import best_of_trials, on_raw, rivals, tuned
from experiments.suite._plan import Entry, read_plan
from experiments.suite._prepare import prepare
from experiments.suite._search import SEARCHES, named_search, search
from experiments.suite._verdict import bars, summarise

PLAN = """\
problems:
  - {name: wine, data: wine.csv, target: y, model: linear, epochs: 6, batch_size: 32}
  - {name: sugar, data: diabetes, task: regression, model: linear, epochs: 8, full: only}
searches:
  quick: {outer: {every: 5}, regression: {outer: {every: 5}}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wine of scikit-learn, a class of it thinned out to eight rows, and a plan."""
    from sklearn.datasets import load_wine

    folder = tmp_path_factory.mktemp("root")
    frame = load_wine(as_frame=True).frame.rename(columns={"target": "y"})
    rare = frame[frame.y == 2].iloc[:8]
    pd.concat([frame[frame.y != 2], rare]).to_csv(folder / "wine.csv", index=False)
    (folder / "plan.yaml").write_text(PLAN)
    return folder


def wine(root: Path) -> Entry:
    return read_plan(root / "plan.yaml", False, root).problems[0]


def run(root: Path, out: Path, *more: str) -> int:
    return main(["--problems", str(root / "plan.yaml"), "--root", str(root), "--out", str(out), *more])


def rows(*parts: Any) -> set[tuple[float, ...]]:
    return {tuple(x.flatten().tolist()) for samples in parts for x in samples.x}


def test_judging_samples_are_apart(root: Path) -> None:
    case, test = open_case(wine(root), 3, "test")
    assert len(case.problem.test) == 0
    assert not rows(test) & rows(case.problem.train, case.problem.validation)
    inside, held_out = open_case(wine(root), 3, "validation")
    assert len(inside.problem.test) == 0
    assert not rows(held_out) & rows(inside.problem.train, inside.problem.validation)
    seen = rows(held_out, inside.problem.train, inside.problem.validation)
    assert seen == rows(case.problem.train, case.problem.validation), "the test samples stay unseen"
    other, _ = open_case(wine(root), 4, "test")
    assert not torch.equal(other.problem.validation.x, case.problem.validation.x), "another seed is another split"


def test_whole_run_and_resumption(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_module, "BUDGET", 2)
    monkeypatch.setattr(grid_module, "COMMON", ("la",))
    arguments = ["--methods", "untuned,tuned,rivals,quick", "--reference", "quick", "--seeds", "2"]
    assert run(root, tmp_path / "whole", *arguments) == 0
    summary = json.loads((tmp_path / "whole" / "suite.json").read_text())["classification"]
    assert {"ce", "la", "ldam-drw", "la, tuned", "TPE", "CMA-ES", "best-of-six", "quick"} <= set(summary["methods"])
    assert summary["costs"]["la"] == 0
    assert summary["costs"]["la, tuned"] == 2
    assert summary["costs"]["quick"] > 0.3
    text = (tmp_path / "whole" / "suite.md").read_text()
    assert all(f"| {method} " in text for method in summary["methods"])
    assert (tmp_path / "whole" / "suite-classification.svg").read_text().count("<svg") == 1

    assert run(root, tmp_path / "parts", "--methods", "untuned", "--seeds", "1") == 0
    assert run(root, tmp_path / "parts", "--methods", "untuned", "--seeds", "1") == 2, "there is a suite already"
    assert run(root, tmp_path / "parts", "--judge", "validation", "--resume") == 2
    assert run(root, tmp_path / "parts", *arguments, "--resume") == 0
    assert main(["--out", str(tmp_path / "parts"), "--resume"]) == 0, "it knows what it was asked for last"
    again = json.loads((tmp_path / "parts" / "suite.json").read_text())["classification"]
    for method in summary["methods"]:
        values = [s["problems"]["wine"]["methods"][method]["values"] for s in (summary, again)]
        assert values[0] == values[1]


def test_several_workers_do_the_same(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("autobalance.study.Processes", lambda number: Processes(number, "fork"))  # spares the imports
    for workers in "12":
        assert run(root, tmp_path / workers, "--methods", "quick", "--seeds", "2", "--workers", workers) == 0
    files = [sorted((tmp_path / w / "runs").rglob("*.json")) for w in "12"]
    assert len(files[0]) == 2
    for one, two in zip(*files, strict=True):
        figures = [json.loads(path.read_text())["result"]["methods"]["quick"]["figure"] for path in (one, two)]
        assert figures[0] == figures[1]


def test_tuning_takes_the_best_trial_and_begins_with_the_published_value(root: Path) -> None:
    case, _ = open_case(wine(root), 0, "test")
    found = {choice.method.name: choice for choice in tuned(case, ["la"], 4, Desk())}
    assert set(found) == {"la, tuned", "TPE", "CMA-ES", "best-of-six"}
    for method, choice in found.items():
        trials = choice.about["trials"]
        if method == "best-of-six":
            assert trials[choice.about["chosen"]] == min(trials.values())
            continue
        assert len(trials) == choice.cost == 4
        assert choice.about["hyper"] == min(trials, key=lambda trial: trial["score"])["hyper"]
        assert len({tuple(trial["hyper"].values()) for trial in trials}) == 4
    assert found["la, tuned"].about["trials"][0]["hyper"] == {"tau": 1.0}
    start = fixed_point("la", case.conditions.task.counts(case.everything))
    raw = on_raw(case, "TPE", ["w", "l", "delta"])
    of_zero = raw.loss_of(raw.training(case.conditions.setting, case.everything, 0, case.conditions.recipe))
    logits, y = torch.randn(20, 3), torch.randint(0, 3, (20,))
    torch.testing.assert_close(of_zero(logits, y), start(logits, y))


def test_rivals_have_the_parameters_of_the_search(root: Path) -> None:
    case, _ = open_case(wine(root), 0, "test")
    found = best_of_trials(case, rivals(case, ["l", "weight_decay", "lr"]), 3, Desk())
    assert [choice.method.name for choice in found] == ["TPE, same parameters", "TPE, same parameters, by objective"]
    for choice in found:
        best = min(choice.about["trials"], key=lambda trial: trial["score"])["hyper"]
        assert set(best) == {"l0", "weight_decay", "lr"}
        plain = case.conditions.recipe
        recipe = choice.method.recipe(plain, choice.method.hyper)
        assert recipe.lr == pytest.approx(plain.lr * np.exp(best["lr"]))
        assert recipe.weight_decay == pytest.approx(plain.weight_decay * np.exp(best["weight_decay"]))
        first = choice.about["trials"][0]
        assert set(first["hyper"].values()) == {0.0}
    model = case.train([named_method("la")], case.problem.train)[0]
    assert model is not None
    part = case.problem.validation
    logarithms = model(part.x).log_softmax(1)[torch.arange(len(part)), part.y]
    balanced = statistics.fmean(-logarithms[part.y == k].mean().item() for k in range(3))
    assert first["score"] == pytest.approx(balanced, rel=1e-5), "balanced cross-entropy, the default objective"


def test_fewer_samples_and_a_longer_tail(root: Path) -> None:
    whole, held_out = open_case(wine(root), 0, "test")
    entry = dataclasses.replace(wine(root), samples=40, tail=10.0)
    case, same = open_case(entry, 0, "test")
    assert torch.equal(same.x, held_out.x)
    counts = case.conditions.task.counts(case.everything).sort(descending=True).values.tolist()
    assert sum(counts) == pytest.approx(40, abs=1)
    assert counts[0] > 2 * counts[1] > 4 * counts[2] > 0, "57, 18 and 5 samples of which 40 are drawn"
    assert rows(case.everything) < rows(whole.everything)
    assert rows(open_case(entry, 1, "test")[0].everything) != rows(case.everything)


def test_one_that_diverges_counts_as_a_constant_prediction(root: Path) -> None:
    case, held_out = open_case(wine(root), 0, "test")
    assert case.judge(None, held_out)["balanced_error"] == pytest.approx(200 / 3)
    broken, fine = case.conditions.setting.new_model(0), case.train([named_method("la")], case.everything)[0]
    for parameter in broken.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    tested = [case.judge(model, held_out) for model in (broken, fine)]
    assert [one["diverged"] for one in tested] == [True, False]
    assert tested[0]["balanced_error"] == pytest.approx(200 / 3) and tested[1]["balanced_error"] < 20


def test_regression_and_the_published_procedure(root: Path) -> None:
    entry = read_plan(root / "plan.yaml", True, root, "sugar").problems[0]
    case, held_out = open_case(entry, 0, "validation")
    assert case.kind == "regression"
    short = {"outer": {"every": 10}}
    for name, its in (
        ("published", {**SEARCHES["published"]["regression"], **short}),
        ("one-split", short),
        ("ours", SEARCHES["ours"]),
    ):
        choice = search(case, named_search(name, its))
        tested = case.judge(case.train([choice.method], case.everything)[0], held_out)
        assert case.metric_name(tested) == "balanced_mae"
        assert 20 < case.figure(tested) < 150
    assert {"lds, tuned", "TPE", "best-of-six"} <= {choice.method.name for choice in tuned(case, ["lds"], 2, Desk())}


def test_groups() -> None:
    case, held_out = open_case(Entry("groups", "digits-groups", {"model": "linear", "epochs": 2}), 0, "validation")
    choices = tuned(case, ["group-la"], 2, Desk())
    assert [choice.method.name for choice in choices] == ["group-la, tuned", "TPE", "CMA-ES", "best-of-six"]
    (model,) = case.train([choices[0].method], case.everything)
    assert model is not None
    tested = case.judge(model, held_out)
    assert case.metric_name(tested) == "worst_group_error"
    by_cell = [
        100 - 100 * (held_out.y[index] == answers).float().mean().item() for answers, index in cells(model, held_out)
    ]
    assert case.figure(tested) == pytest.approx(max(by_cell), abs=1e-4)


def cells(model: torch.nn.Module, samples: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    answers = model(samples.x).argmax(1)
    found = []
    for k, g in itertools.product(range(2), range(2)):
        index = ((samples.y == k) & (samples.group == g)).nonzero()[:, 0]
        found.append((answers[index], index))
    return found


@pytest.mark.parametrize("confidence", [0.0, 0.99])
def test_a_search_with_rates_and_a_choice(root: Path, confidence: float) -> None:
    case, held_out = open_case(wine(root), 0, "test")
    free = ["l", "weight_decay"]
    keywords = {"strategy": "interleaved", "free": free, "folds": 3, "outer": {"every": 5}, "confidence": confidence}
    choice = search(case, named_search("ours", keywords))
    if confidence:
        assert (choice.about["chosen"] == "searched") == (choice.about["confidence"] >= confidence)
    plain = case.conditions.recipe
    found = choice.method.recipe(plain, {}).weight_decay != plain.weight_decay
    assert found == (choice.about.get("chosen", "searched") == "searched")
    tested = case.judge(case.train([choice.method], case.everything)[0], held_out)
    assert tested["balanced_error"] < 40
    assert choice.cost > 1


def test_prepared_files(root: Path, tmp_path: Path) -> None:
    source = pd.read_csv(root / "wine.csv")
    entry = Entry("small", str(root / "wine.csv"), {"target": "y"}, rows=60, fewest=10)
    small = prepare(entry, tmp_path)
    frame = pd.read_csv(small.data)
    assert len(frame) == 60
    assert set(frame.y) == {0, 1}
    assert len(frame.merge(source)) == 60
    x = np.arange(120, dtype=np.uint8).reshape(60, 2, 1, 1).repeat(2, 2)
    y = np.arange(60) % 2
    np.savez(root / "images.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    images = np.load(prepare(Entry("images", str(root / "images.npz"), largest=7), tmp_path).data)
    assert np.bincount(images["y_train"]).tolist() == [7, 7]
    assert len(images["y_test"]) == 60
    halved = np.load(prepare(Entry("halves", str(root / "images.npz"), largest=7, halved=True), tmp_path).data)
    assert halved["x_train"].shape == (14, 1, 1, 1)
    assert set(halved["x_train"].flat) <= set(x[:, 0, 0, 0])
    for image, label in zip(images["x_train"], images["y_train"], strict=True):
        assert (x[image.flat[0] // 2] == image).all()
        assert y[image.flat[0] // 2] == label


def made_up(figures: dict[str, dict[str, list[float]]], costs: dict[str, float]) -> dict[str, Any]:
    return {
        problem: {
            "problem": {0: {"metric": "balanced_error"}},
            **{
                method: {seed: {"figure": value, "cost": costs[method]} for seed, value in enumerate(values)}
                for method, values in of.items()
            },
        }
        for problem, of in figures.items()
    }


def test_verdict_follows_from_the_figures() -> None:
    generator = np.random.default_rng(0)
    noise = {p: generator.normal(0, 0.1, 5) for p in "abcdef"}
    levels = {"la, tuned": 10.0, "vs, tuned": 11.0, "TPE": 12.0, "ours": 9.0}
    jitter = {m: generator.normal(0, 0.05, 5) for m in levels}
    figures = {p: {m: list(level + noise[p] + jitter[m]) for m, level in levels.items()} for p in noise}
    figures["f"]["ours"] = list(10.5 + noise["f"] + jitter["ours"])
    costs = {"la, tuned": 6.0, "vs, tuned": 6.0, "TPE": 6.0, "ours": 4.0}
    summary = summarise(made_up(figures, costs), "ours")

    plain_ranks: dict[str, list[float]] = {m: [] for m in levels}
    for of in figures.values():
        means = {m: statistics.fmean(values) for m, values in of.items()}
        for m in levels:
            plain_ranks[m].append(1 + sum(means[other] < means[m] for other in levels))
    assert summary["ranks"]["average"] == {m: statistics.fmean(r) for m, r in plain_ranks.items()}
    table = [[statistics.fmean(of[m]) for of in figures.values()] for m in levels]
    assert summary["ranks"]["friedman_p"] == pytest.approx(stats.friedmanchisquare(*table).pvalue)
    # Demšar 2006, table 5 (a): q for four methods at 0.05 is 2.569.
    assert summary["ranks"]["critical_difference"] == pytest.approx(2.569 * (4 * 5 / (6 * 6)) ** 0.5, abs=1e-3)
    for problem, method in itertools.product("af", ("la, tuned", "TPE")):
        entry = summary["problems"][problem]["methods"][method]
        expected = stats.ttest_rel(figures[problem]["ours"], figures[problem][method]).pvalue
        assert entry["p"] == pytest.approx(expected)
        assert entry["p_corrected"] >= entry["p"]
    assert summary["overall"]["la, tuned"] | {"wilcoxon_p": 0, "wilcoxon_p_corrected": 0} == {
        "better": 5, "worse": 1, "surely_better": 5, "surely_worse": 1, "wilcoxon_p": 0, "wilcoxon_p_corrected": 0,
    }  # fmt: skip
    assert [reached for _, reached, _ in bars(summary)] == [True, False, True, True], "surely worse on f"
    figures["f"]["ours"] = figures["e"]["ours"]
    costs["ours"] = 6.5
    better = bars(summarise(made_up(figures, costs), "ours"))
    assert [reached for _, reached, _ in better] == [True, True, True, False]


def test_unfinished_methods_are_left_out() -> None:
    figures = {"a": {"x": [1.0, 2.0], "y": [2.0, 1.0], "z": [1.0, 1.0]}, "b": {"x": [1.0, 2.0], "y": [3.0, 4.0]}}
    summary = summarise(made_up(figures, dict.fromkeys("xyz", 0.0)), "x")
    assert summary["methods"] == ["x", "y"]
    assert summary["left_out"] == ["z"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--methods", "nope"], "'nope'"),
        (["--problems", "nowhere.yaml"], "nowhere.yaml"),
        (["--only", "nope"], "'nope'"),
        (["--root", "nowhere"], "--root"),
        (["--resume"], "no run to resume"),
        (["--seeds", "0"], "0"),
    ],
)
def test_bad_input(
    root: Path, tmp_path: Path, arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert word in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("problems: 3", "list"),
        ("problems: [{name: a}]", "data"),
        ("problems: [{name: ../../x, data: digits}]", "'../../x' names files of the results"),
        ("problems: [{name: /x, data: digits}]", "'/x' names files of the results"),
        ("problems: [{name: .., data: digits}]", "'..' names files of the results"),
        ("problems: [{name: a, data: digits, speed: 3}]", "'speed'"),
        ("problems: [{name: a, data: digits, metric: mood}]", "metrics"),
        ("problems: [{name: a, data: digits, rows: 5}]", "tables"),
        ("{problems: [{name: a, data: digits}], searches: {ours: {sped: 3}}}", "'sped'"),
        ("{problems: [{name: a, data: digits}], searches: {ours: {outer: {evry: 3}}}}", "'evry'"),
        ("{problems: [{name: a, data: digits}], searches: {ours: {hypergradient: nope}}}", "'nope'"),
        ("{problems: [{name: a, data: digits}], searches: {ours: {rounds: 1, unroll: 5}}}", "unroll has no effect"),
    ],
)
def test_bad_plan(tmp_path: Path, line: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text(line)
    out = tmp_path / "out"
    assert main(["--problems", str(tmp_path / "plan.yaml"), "--out", str(out)]) == 2
    assert word in capsys.readouterr().err


def test_committed_plans_can_be_read(tmp_path: Path) -> None:
    from experiments.suite._options import PLANS

    for name in ("suite.yaml", "suite_builtin.yaml", "development.yaml"):
        content = (PLANS / name).read_text()
        for word in content.replace(",", " ").split():
            if word.endswith((".csv", ".csv.gz", ".npz")):
                (tmp_path / word).touch()
        for full in (False, True):
            assert read_plan(PLANS / name, full, tmp_path).problems
