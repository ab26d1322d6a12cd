"""How sure a run with one seed is: the bootstrap of its test samples against formulas."""

import json
import math

import numpy as np
import pytest
import torch
from run_case import write_data

from autobalance.cli._config import parse
from autobalance.cli._plan import checked_plan
from autobalance.losses import load_loss
from autobalance.search import main
from autobalance.tasks import outputs
from autobalance.training import train

OPTIONS = ["--model", "linear", "--epochs", "4", "--batch-size", "16", "--strategy", "prediction", "--budget", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz", (60, 30, 15, 8))


def run(data, out, *more):
    options = [*OPTIONS, "--data", str(data), "--confidence", "0", "--baselines", "ce", "--out", str(out), *more]
    assert main(options) == 0
    return json.loads((out / "result.json").read_text())


def wrong(out):
    """Whether the searched loss's model and cross-entropy's miss each test sample, in points, and its class."""
    checked = checked_plan(parse(["--config", str(out / "config.yaml")])[0])
    problem, missed = checked.setting.problem, {}
    for name, loss in (("searched", load_loss(out / "loss.json")), ("ce", checked.fixed_arm("ce").loss)):
        model = checked.setting.new_model(0)
        train(model, problem.final_training, loss, checked.recipe, 0)
        missed[name] = 100.0 * (outputs(model, problem.test).argmax(1) != problem.test.y).numpy()
    return missed["searched"], missed["ce"], problem.test.y.numpy()


def test_one_seed_is_judged_by_the_bootstrap_of_the_test_samples(data, tmp_path, no_page, capsys):
    out = tmp_path / "run"
    result = run(data, out, "--seeds", "1")
    own, other, y = wrong(out)
    paired, counts = own - other, np.bincount(y)
    errors = [paired[y == k].std(ddof=1) / math.sqrt(counts[k]) for k in range(4)]
    sampling = result["sampling"]
    against = sampling["against"]["ce"]
    assert (sampling["draws"], sampling["samples"]) == (400, 80) and set(sampling["against"]) == {"ce"}
    assert against["standard_error"] == pytest.approx(errors)
    # the mean over the classes of paired differences, each class keeping its number
    variance = sum(paired[y == k].var() / counts[k] for k in range(4)) / 16
    assert against["high"] - against["low"] == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.15)
    mean = np.mean([paired[y == k].mean() for k in range(4)])
    assert against["low"] < mean < against["high"]
    verdict = result["verdict"]
    assert verdict["difference"] == {
        **{"value": pytest.approx(mean), "by": "test samples", "low": against["low"], "high": against["high"]},
        **{"better": against["better"], "number": 80},
    }
    moved = {change["name"]: change["points"] for change in verdict["gains"] + verdict["pays"]}
    beyond = {str(k): paired[y == k].mean() for k in range(4) if abs(paired[y == k].mean()) > 1.96 * errors[k]}
    assert moved == pytest.approx(beyond)
    last = capsys.readouterr().out.rstrip().splitlines()
    said = " ".join(" ".join(last[-12:]).split())
    lines = [verdict["headline"], verdict["sure"], verdict["costs"], verdict["classes"]]
    assert said.endswith(" ".join(line.replace("\u00a0", " ") for line in lines if line))


def test_several_seeds_speak_for_themselves(data, tmp_path, no_page):
    result = run(data, tmp_path / "run", "--seeds", "2")
    assert "sampling" not in result and result["verdict"]["difference"]["by"] == "seeds"


def test_a_resumed_run_has_the_same_bootstrap(data, tmp_path, no_page):
    whole = run(data, tmp_path / "run", "--seeds", "1")
    content = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert content["trainings"]["ce/0"]["resampled"]["objective"].shape == (400,)
    assert main(["--out", str(tmp_path / "run"), "--resume"]) == 0
    again = json.loads((tmp_path / "run" / "result.json").read_text())
    assert again["sampling"] == whole["sampling"] and "resampled" not in again["test"]["ce"]


def test_numbers_and_cells_have_standard_errors_too(tmp_path, no_page):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(240, 2)).astype(np.float32)
    y, group = (x[:, 0] + generator.normal(size=240) > 0.4).astype(int), (x[:, 1] > 0).astype(int)
    of_numbers, of_groups = tmp_path / "numbers.csv", tmp_path / "groups.npz"
    rows = [f"{a},{b},{3 * a + b}" for a, b in x]
    of_numbers.write_text("a,b,target\n" + "\n".join(rows) + "\n")
    np.savez(of_groups, x_train=x[:160], y_train=y[:160], group_train=group[:160], x_test=x[160:], y_test=y[160:],
             group_test=group[160:])  # fmt: skip
    common = [
        "--model",
        "linear",
        "--epochs",
        "4",
        "--every",
        "5",
        "--unroll",
        "3",
        "--seeds",
        "1",
        "--confidence",
        "0",
    ]
    numbers = [*common, "--data", str(of_numbers), "--target", "target", "--task", "regression", "--baselines", "l1"]
    assert main([*numbers, "--out", str(tmp_path / "n")]) == 0
    groups = [*common, "--data", str(of_groups), "--baselines", "ce", "--strategy", "interleaved"]
    assert main([*groups, "--out", str(tmp_path / "g")]) == 0
    for name, fixed, key in (("n", "l1", "bin_mae"), ("g", "ce", "cell_error")):
        result = json.loads((tmp_path / name / "result.json").read_text())
        against, entry = result["sampling"]["against"][fixed], result["test"][fixed]
        assert len(against["standard_error"]) == np.size(np.array(entry[key], dtype=object))
        assert against["low"] <= result["verdict"]["difference"]["value"] <= against["high"]
        names = {change["name"] for change in result["verdict"]["gains"] + result["verdict"]["pays"]}
        cells = {f"{k} in {g}" for k in range(2) for g in result.get("group_names", ())}
        assert names <= (cells or set(result["class_names"]))
