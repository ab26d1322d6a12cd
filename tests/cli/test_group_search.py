"""Searches with groups: from the command and from Python."""

import json

import numpy as np
import pytest
import torch
from run_case import OPTIONS, read, search

import autobalance
from autobalance.cli._plan import checked_plan
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.losses.named import fixed_point
from autobalance.models import make_model
from autobalance.study.report import ranking, scores, verdict, write_report
from autobalance.tasks import outputs
from autobalance.training import Recipe, train

CELLS = ((60, 8), (10, 40))


def draw(cells, seed):
    """Two Gaussian classes along the first axis; the second axis says the group, and so, mostly, the class."""
    generator = np.random.default_rng(seed)
    y, group = (np.concatenate([np.full(n, (k, g)[i]) for k, row in enumerate(cells) for g, n in enumerate(row)])
                for i in (0, 1))  # fmt: skip
    x = np.stack([2.0 * y, 3.0 * group, np.zeros(len(y))], 1) + generator.normal(size=(len(y), 3))
    return x.astype(np.float32), y, group


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("groups") / "data.npz"
    arrays = {}
    for part, (x, y, group) in {"train": draw(CELLS, 0), "test": draw(((25, 25), (25, 25)), 1)}.items():
        arrays |= {f"x_{part}": x, f"y_{part}": y, f"group_{part}": group}
    np.savez(path, **arrays, class_names=["no", "yes"], group_names=["day", "night"])
    return path


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    blend = ("--objective", "0.5*balanced_error + 0.5*deo", "--baselines", "ce,la,group-la,group-dro")
    assert search(data, out, *blend) == 0
    return out


def test_the_loss_has_a_column_a_group_with_its_name(done):
    content = json.loads((done / "loss.json").read_text())
    assert content["group_names"] == ["day", "night"] and content["class_names"] == ["no", "yes"]
    assert np.shape(content["parameters"]["l"]) == np.shape(content["parameters"]["w"]) == (2, 2)
    assert content["provenance"]["cell_counts"] == [list(row) for row in CELLS]
    loss = autobalance.load_loss(done / "loss.json")
    x, y, group = draw(CELLS, 0)
    logits = torch.from_numpy(x[:, :2])
    assert loss(logits, torch.from_numpy(y), group=torch.from_numpy(group)).isfinite()
    with pytest.raises(ValueError, match="the loss has 2 groups"):
        loss(logits, torch.from_numpy(y))


def test_every_method_has_the_figures_of_groups(done, data):
    result = read(done)
    assert set(result["test"]) == {"searched", "ce", "la", "group-la", "group-dro"}
    assert result["cell_counts"] == [list(row) for row in CELLS] and result["class_counts"] == [68, 50]
    assert result["group_names"] == ["day", "night"] and result["objective"] == "0.5*balanced_error + 0.5*deo"
    for found in result["test"].values():
        cells = np.array(found["cell_error"])
        assert found["class_error"] == pytest.approx(cells.mean(1).tolist())  # the test split has cells of one size
        assert found["group_error"] == pytest.approx(cells.mean(0).tolist())
        assert found["group_balanced_error"] == pytest.approx(cells.mean())
        assert found["worst_group_error"] >= cells.max() - 1e-9 and len(found["deo_by_seed"]) == 2
        assert np.shape(found["cell_error_std"]) == (2, 2)


def test_a_baseline_is_trained_as_by_hand(done, data):
    checked = checked_plan(options_of(data))
    problem = checked.setting.problem
    samples = problem.train.join(problem.validation)
    loss = autobalance.fixed_point("group-la", cell_counts=torch.tensor(CELLS))
    for place, seed in enumerate((0, 1)):
        torch.manual_seed(seed)
        model = make_model("linear", (3,), 2)
        train(model, samples, loss, Recipe(epochs=4, batch_size=16), seed)
        found = checked.task.test(outputs(model, problem.test), problem.test, checked.counts)
        for name in ("worst_group_error", "deo"):
            assert read(done)["test"]["group-la"][f"{name}_by_seed"][place] == pytest.approx(found[name])


def options_of(data, *more):
    from autobalance.cli._config import parse

    return parse(["--data", str(data), *OPTIONS, *more])[0]


def test_the_history_watches_the_groups_and_the_objective_true_metric(done):
    rows = [json.loads(line) for line in (done / "history.jsonl").read_text().splitlines()]
    for row in rows:
        assert row["objective_metric"] == pytest.approx(0.5 * row["balanced_error"] + 0.5 * row["deo"])
        assert {"worst_group_error", "group_balanced_error"} <= set(row)
    assert np.shape(rows[-1]["parameters"]["l"]) == (2, 2)


def test_with_groups_the_defaults_are_those_for_groups(data):
    checked = checked_plan(options_of(data))
    assert checked.plan.objective == "group_balanced_error" and checked.plan.start == "group-la"
    assert checked.task.defaults.baselines == ("ce", "la", "group-weighted", "group-la")
    assert checked.search.trainee.space.loss.start.l.shape == (2, 2)


def test_the_report_has_a_table_by_group(done):
    page = (done / "report.html").read_text()
    for words in ("Test error by class and group", "night", "worst-group error %", "group logit adjustment"):
        assert words in page, words


@pytest.mark.parametrize(
    "options, words",
    [
        (("--objective", "accuracy"), "no objective is called 'accuracy'"),
        (("--start", "group-dro"), "a search cannot start from GroupDRO"),
        (("--group", "sex"), "--group sex has no effect on"),
        (("--baselines", "ce,group-la,nothing"), "no fixed loss is called 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(data, tmp_path, options, words, capsys):
    assert search(data, tmp_path / "run", *options) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options, words",
    [
        (
            ("--objective", "worst_group"),
            "the objective worst_group needs groups, and the samples have none: give --group",
        ),
        (("--start", "group-la"), "group-la is a loss for groups, and the samples have none"),
        (("--baselines", "ce,group-dro"), "group-dro is a loss for groups"),
    ],
)
def test_groups_are_needed(tmp_path, options, words, capsys):
    assert search("digits", tmp_path / "run", *options) == 2
    assert words in capsys.readouterr().err


def test_a_function_of_ones_own_is_tried_before_anything_takes_time(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_goals.py").write_text(
        "def second(z, y, group):\n    return (z.logsumexp(1) - z[range(len(y)), y])[group == 1].mean()\n"
        "def flat(z, y, group):\n    return (z.argmax(1) != y).double().mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    assert search(data, tmp_path / "no", "--objective", "own_goals:flat") == 2
    assert "own_goals:flat has no derivative" in capsys.readouterr().err and not (tmp_path / "no").exists()
    checked = checked_plan(options_of(data, "--objective", "own_goals:second"))
    only = checked.setting.problem.validation.group == 1
    logits = torch.randn(len(only), 2)
    wanted = torch.nn.functional.cross_entropy(logits[only], checked.setting.problem.validation.y[only])
    assert checked.search.trainee.objective(logits, checked.setting.problem.validation.all()).item() == pytest.approx(
        wanted.item()
    )


def test_a_function_of_ones_own_is_what_the_tested_models_are_ranked_by(data, tmp_path, monkeypatch, no_page):
    (tmp_path / "own_goal.py").write_text("def first(z, y, group):\n    return (z.logsumexp(1) - z[:, 0]).mean()\n")
    monkeypatch.chdir(tmp_path)
    assert search(data, tmp_path / "run", "--objective", "own_goal:first", "--baselines", "ce") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    checked = checked_plan(options_of(data, "--objective", "own_goal:first", "--baselines", "ce"))
    model = checked.setting.new_model(0)
    train(model, checked.setting.problem.final_training, fixed_point("ce", checked.counts.sum(1)), checked.recipe, 0)
    expected = -torch.log_softmax(outputs(model, checked.setting.problem.test), 1)[:, 0].mean().item()
    assert result["test"]["ce"]["objective_by_seed"][0] == pytest.approx(expected, rel=1e-4)
    by = ranking(result)
    assert (by.main.key, by.main.heading, by.beside.key) == ("objective", "own_goal:first", "balanced_error")
    ranked = sorted(result["test"], key=lambda name: result["test"][name]["objective"])
    assert [row.method for row in scores(result)] == ranked
    assert verdict(result).headline.startswith("own_goal:first: ")
    directory = write_report(tmp_path / "run")
    assert "own_goal:first: your own objective, on the test samples" in directory.read_text()


def test_an_objective_that_one_class_wins_is_warned_of_in_one_line(data, tmp_path, no_page, capsys):
    for objective, warned in (("deo", True), ("error + deo", False)):
        assert search(data, tmp_path / objective, "--objective", objective, "--seeds", "1", "--baselines", "ce") == 0
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
        assert len(lines) == warned
        if warned:
            assert lines[0] == (
                "warning: a model that always predicts no is perfect by deo; ask for right answers too, as "
                '"error + deo" or "error subject to deo<=0.1"'
            )


def test_from_python_with_samples_of_three():
    train_set, validation = (
        tuple(map(torch.from_numpy, draw(cells, seed))) for cells, seed in ((CELLS, 0), (CELLS, 3))
    )
    settings = {
        "recipe": Recipe(epochs=4, batch_size=16),
        "outer": autobalance.OuterLoop(every=5, lr=0.1),
        "hypergradient": autobalance.Replay(3),
        "strategy": "interleaved",
    }
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    result = autobalance.search_loss(
        model, train_set, validation, objective="worst_group", group_names=["day", "night"], **settings
    )
    assert result.loss.group_names == ("day", "night") and result.loss.l.shape == (2, 2)
    assert {"worst_group_error", "deo", "objective_metric"} <= set(result.history[-1])
    start = autobalance.fixed_point("group-la", cell_counts=torch.tensor(CELLS))
    assert (result.loss.l - (start.l - start.l.mean(0))).abs().max() > 1e-3
    cell = autobalance.search_loss(model, Samples(*train_set), Samples(*validation), tie="class", **settings)
    assert cell.loss.w.unique().numel() == 4
    with pytest.raises(InputError, match="`group_names` have no effect"):
        autobalance.search_loss(model, train_set[:2], validation[:2], group_names=["a", "b"], **settings)
    with pytest.raises(InputError, match="needs groups"):
        autobalance.search_loss(model, train_set[:2], validation[:2], objective="deo", **settings)
