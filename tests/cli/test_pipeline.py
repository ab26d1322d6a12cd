"""A run from data to report: what it computes, what it writes, and what it never sees."""

import json
import math
import statistics

import numpy as np
import pytest
import torch
from run_case import OPTIONS, read, same_run, search, write_data
from sklearn.metrics import balanced_accuracy_score
from toy import same

from autobalance import hypergradients
from autobalance.bilevel import InterleavedState
from autobalance.cli import _run
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._config import parse
from autobalance.cli._plan import checked_plan
from autobalance.hypergradients import Hypergradient, Replay
from autobalance.losses import load_loss
from autobalance.losses.named import fixed_point
from autobalance.models import CosineLinear, make_model
from autobalance.tasks import predict
from autobalance.training import Recipe, train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """A finished run with its report."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert search(data, out) == 0
    return out


def checked(data):
    return checked_plan(parse(["--data", str(data), *OPTIONS])[0])


def test_a_run_leaves_these_files_and_figures(done):
    names = {"loss.json", "result.json", "history.jsonl", "report.html", "config.yaml", "checkpoint.pt", "data.json"}
    names |= {"model.json", "model.pt"}
    names |= {"checkpoint.previous.pt"}
    assert {path.name for path in done.iterdir()} == names
    result = read(done)
    assert set(result["test"]) == {"searched", "ce", "la"}
    assert result["class_counts"] == [60, 30, 15, 8] and result["imbalance_ratio"] == pytest.approx(60 / 8)
    assert result["seed"] == 0 and result["seeds"] == [0, 1]
    assert result["num_train"] + result["num_validation"] == 113 and result["num_test"] == 80
    assert {"search_seconds", "train_seconds", "ratio", "peak_memory_mb"} <= set(result["cost"])
    assert 50 < result["cost"]["peak_memory_mb"] < 100_000
    assert (done / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
    history = [json.loads(line) for line in (done / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert [record["phase"] for record in history] == ["warm-up"] + ["search"] * 3
    content = json.loads((done / "loss.json").read_text())
    assert (content["format"], content["version"], content["task"]) == ("autobalance-loss", 2, "classification")
    assert content["provenance"]["class_counts"] == [60, 30, 15, 8]


def test_the_loss_is_that_of_the_averaged_numbers(data, done):
    state = InterleavedState.from_dict(Checkpoint.load(done / "checkpoint.pt").search)
    found, space = load_loss(done / "loss.json"), checked(data).search.trainee.space.loss
    assert torch.equal(found.l, space.loss(state.found).l) and not torch.equal(found.l, space.loss(state.raw).l)


def test_means_and_spreads_are_those_of_the_seeds(done):
    trainings = Checkpoint.load(done / "checkpoint.pt").trainings
    for method, found in read(done)["test"].items():
        runs = [trainings[f"{method}/{seed}"] for seed in (0, 1)]
        for name in ("balanced_error", "error"):
            values = [run[name] for run in runs]
            assert found[f"{name}_by_seed"] == values
            assert found[name] == pytest.approx(sum(values) / 2)
            assert found[f"{name}_std"] == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
        by_class = [sum(pair) / 2 for pair in zip(*(run["class_error"] for run in runs), strict=True)]
        assert found["class_error"] == pytest.approx(by_class)
        assert found["balanced_error"] == pytest.approx(sum(by_class) / 4)


def test_the_ratio_is_of_the_search_over_one_training_of_the_same_run(done):
    cost, kept = read(done)["cost"], Checkpoint.load(done / "checkpoint.pt")
    assert cost["ratio"] == cost["search_seconds"] / cost["train_seconds"]
    assert cost["train_seconds"] == statistics.median(run["seconds"] for run in kept.trainings.values())
    assert cost["search_seconds"] == kept.search_seconds > 0


@pytest.mark.parametrize("method", ("searched", "ce", "la"))
def test_every_loss_is_trained_from_scratch_on_training_and_validation_samples_alike(data, done, method):
    problem = checked(data).setting.problem
    samples = problem.train.join(problem.validation)
    loss = load_loss(done / "loss.json") if method == "searched" else fixed_point(method, [60, 30, 15, 8])
    for place, seed in enumerate((0, 1)):
        torch.manual_seed(seed)
        model = make_model("linear", (4,), 4)
        train(model, samples, loss, Recipe(epochs=4, batch_size=16), seed)
        found = 100 * (1 - balanced_accuracy_score(problem.test.y, predict(model, problem.test)))
        assert read(done)["test"][method]["balanced_error_by_seed"][place] == pytest.approx(found, abs=1e-9)
        assert read(done)["test"][method]["objective_by_seed"][place] == pytest.approx(found, abs=1e-9)


def test_the_parts_are_disjoint_and_the_search_is_given_training_and_validation_samples(data):
    plan = checked(data)
    problem, searched = plan.setting.problem, plan.search.trainee
    parts = [{tuple(row) for row in part.x.tolist()} for part in (problem.train, problem.validation, problem.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 113 + 80
    assert searched.train_samples is problem.train and searched.validation_samples is problem.validation


def test_the_search_never_sees_the_test_samples(tmp_path, done, no_page):
    other = write_data(tmp_path / "data.npz", test=lambda x, y: (np.zeros_like(x), np.roll(y, 7)))
    assert search(other, tmp_path / "run") == 0
    for name in ("loss.json", "history.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (done / name).read_bytes()
    assert read(tmp_path / "run")["test"]["ce"]["balanced_error"] == 75  # one class is predicted for all


def test_a_seed_gives_the_same_run_again_and_another_gives_another(tmp_path, data, done, no_page):
    assert search(data, tmp_path / "again") == 0 and search(data, tmp_path / "other", "--seed", "1") == 0
    same_run(tmp_path / "again", done)
    assert (tmp_path / "other" / "loss.json").read_bytes() != (done / "loss.json").read_bytes()
    assert read(tmp_path / "other")["seeds"] == [1, 2]


def test_models_with_dropout_of_ones_own_are_searched_alike_twice(tmp_path, data, monkeypatch, no_page):
    (tmp_path / "own_problem.py").write_text(
        "import numpy, torch\n"
        f"file = numpy.load({str(data)!r})\n"
        "def make():\n"
        "    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 4))\n"
        "def problem():\n"
        "    return {'train': (file['x_train'], file['y_train']), 'test': (file['x_test'], file['y_test']),\n"
        "            'model': make}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = [option for option in OPTIONS if option not in ("--model", "linear")]
    for name in ("first", "second"):
        assert search("own_problem:problem", tmp_path / name, options=own) == 0
    same_run(tmp_path / "first", tmp_path / "second")
    assert read(tmp_path / "first")["model"] == "own"


@pytest.mark.parametrize(
    "options",
    [["--tie", "class", "--free", "w,l"], ["--late", "w"], ["--hypergradient", "unrolled"], ["--start", "ce"]],
)
def test_options_reach_the_search(tmp_path, data, done, no_page, options):
    assert search(data, tmp_path / "run", *options) == 0
    assert (tmp_path / "run" / "history.jsonl").read_bytes() != (done / "history.jsonl").read_bytes()
    first, second = (json.loads((run / "loss.json").read_text())["parameters"] for run in (tmp_path / "run", done))
    if options[0] == "--hypergradient":
        np.testing.assert_allclose(first["l"], second["l"], rtol=1e-4)
    else:
        assert first != second


def test_baselines_of_every_kind_run(tmp_path, data, no_page):
    names = "weighted,ldam-drw,csl,ib,equalization"
    assert search(data, tmp_path / "run", "--baselines", names, "--seeds", "1") == 0
    test = read(tmp_path / "run")["test"]
    assert list(test) == ["searched", *names.split(",")]
    assert all(found["balanced_error_std"] is None for found in test.values())


def test_ldam_is_searched_and_compared_with_a_head_of_cosines(tmp_path, data, monkeypatch, no_page):
    heads = []

    def spy(model, samples, loss, *rest):
        heads.append((isinstance(model.head, CosineLinear), "margin" in loss.parameters_in_effect))
        train(model, samples, loss, *rest)

    monkeypatch.setattr("autobalance.training._arm.train", spy)
    arguments = ["--start", "ldam", "--baselines", "ce,ldam", "--seeds", "1", "--model", "mlp"]
    assert search(data, tmp_path / "run", *arguments) == 0
    assert heads == [(True, True), (False, False), (True, True)]


class Broken(Replay):
    """An engine whose hypergradients are not finite."""

    def __call__(self, *args):
        state, found = super().__call__(*args)
        return state, Hypergradient({name: g * math.nan for name, g in found.gradient.items()}, math.nan, 1.0)


def test_a_search_whose_hypergradients_break_ends_with_its_start_and_says_so(
    tmp_path, data, monkeypatch, capsys, no_page
):
    monkeypatch.setitem(hypergradients.ENGINES, "replay", Broken)
    assert search(data, tmp_path / "run") == 0
    told = capsys.readouterr().err
    assert "5 steps were skipped" in told and "stopped early" in told
    assert (
        read(tmp_path / "run")["search"] | {"skipped_steps": 5, "stopped_early": True, "outer_steps": 0}
        == (read(tmp_path / "run")["search"])
    )
    counts = checked(data).setting.problem.train.class_counts(4)
    start = fixed_point("la", counts)
    torch.testing.assert_close(load_loss(tmp_path / "run" / "loss.json").l, start.l - start.l.mean())


def test_a_training_that_diverges_is_an_error_with_a_whole_history(tmp_path, data, capsys, no_page):
    assert search(data, tmp_path / "run", "--lr", "1e30") == 2
    told = capsys.readouterr().err.splitlines()
    assert (
        told[-1].startswith("error: every tested training diverges, with searched: the training loss is")
        and "--lr" in told[-1]
    )
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert history[-1]["objective"] is None and load_loss(tmp_path / "run" / "loss.json").w.isfinite().all()


def test_a_checkpoint_is_written_while_the_search_goes_on(tmp_path, data, monkeypatch, no_page):
    saved = []
    monkeypatch.setattr(_run, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(
        Checkpoint,
        "save",
        lambda self, path: saved.append((self.search["done"], len(self.history), len(self.trainings))),
    )
    assert search(data, tmp_path / "run") == 0
    assert saved == [*((k, k, 0) for k in (1, 2, 3, 4)), *((4, 4, k) for k in range(7))]
    assert same(saved[3], saved[4])
