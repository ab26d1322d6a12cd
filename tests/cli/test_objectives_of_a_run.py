"""Objectives of the confusion matrix and constraints through the command and from Python."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, recall_score

import autobalance
from autobalance import Recipe
from autobalance.cli._config import parse
from autobalance.cli._plan import checked_plan
from autobalance.losses import load_loss
from autobalance.search import main
from autobalance.study.report import constraint_sentences, ranking, unmet_sentence, write_report
from autobalance.tasks import outputs
from autobalance.training import train

OPTIONS = [
    *("--model", "linear", "--epochs", "4", "--batch-size", "16", "--every", "5"),
    *("--seeds", "1", "--confidence", "0", "--baselines", "ce"),
]


def draw(seed, counts=(60, 25, 10)):
    generator = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return (generator.normal(size=(len(y), 3)) + 1.2 * np.eye(3)[y]).astype(np.float32), y


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "table.csv"
    x, y = draw(0, (90, 40, 20))
    rows = [",".join([*map(str, row), ("common", "so so", "very, rare")[k]]) for row, k in zip(x, y, strict=True)]
    rows = [row.replace("very, rare", '"very, rare"') for row in rows]
    path.write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return path


def search(data, out, objective):
    return main(["--data", str(data), "--target", "label", *OPTIONS, "--objective", objective, "--out", str(out)])


def model_of(out, method):
    """The model that the run tested, and its problem."""
    options = parse(["--config", str(out / "config.yaml")])[0]
    checked = checked_plan(options)
    problem = checked.setting.problem
    loss = load_loss(out / "loss.json") if method == "searched" else checked.task.fixed_loss("ce", checked.counts)
    model = checked.setting.new_model(0)
    train(model, problem.final_training, loss, checked.recipe, 0)
    return model, problem


def test_the_f1_of_a_class_by_its_name(data, tmp_path, no_page):
    out = tmp_path / "run"
    assert search(data, out, 'f1("very, rare")') == 0
    result = json.loads((out / "result.json").read_text())
    for method in ("searched", "ce"):
        model, problem = model_of(out, method)
        found, rare = outputs(model, problem.test).argmax(1), problem.class_names.index("very, rare")
        expected = 100 * (1 - f1_score(problem.test.y, found, labels=[rare], average=None)[0])
        assert result["test"][method]["objective"] == pytest.approx(expected)
    by = ranking(result)
    assert (by.main.key, by.main.heading) == ("objective", "1 - F1 of very, rare %")
    assert by.words == "1 - F1 of very, rare on test"
    assert {"worst_class_error", "macro_f1_error", "mcc_error"} <= set(result["test"]["ce"])
    page = write_report(out).read_text()
    assert "1 - F1 of very, rare" in page and "worst-class error %" in page and "1 - macro-F1 %" in page


def test_constraints_are_reported(data, tmp_path, no_page):
    out, text = tmp_path / "run", 'error subject to recall("very, rare")>=0.99 and worst_class<=1'
    assert search(data, out, text) == 0
    result = json.loads((out / "result.json").read_text())
    model, problem = model_of(out, "ce")
    rare = problem.class_names.index("very, rare")
    recall = recall_score(problem.test.y, outputs(model, problem.test).argmax(1), labels=[rare], average=None)[0]
    found = result["test"]["ce"]
    first = found["constraints"]['recall("very, rare")>=0.99']
    assert first["value"] == pytest.approx(recall) and first["violation"] == pytest.approx(0.99 - recall)
    assert found["main_objective"] == found["error"]
    assert found["objective"] == pytest.approx(found["error"] + 1000 * (0.99 - recall))
    (sentence, other) = constraint_sentences(result)
    assert sentence.startswith('Constraint recall("very, rare")>=0.99') and f"cross-entropy {recall:.3g}" in sentence
    assert other.count("(met)") == 2
    by = ranking(result)
    assert by.main.key == "objective" and by.main.heading == "objective with penalties %"
    assert (
        "ten times the amount by which" in by.main.meaning and by.words == "test value of the objective with penalties"
    )


def test_what_cannot_be_met_is_said_with_how_near_it_came(data, tmp_path, no_page, capsys):
    out, text = tmp_path / "run", 'error subject to recall("very, rare")>=0.99 and recall(common)>=0.99'
    options = [*OPTIONS[:6], "--strategy", "prediction", "--budget", "2", "--seeds", "1", "--baselines", "ce"]
    assert main(["--data", str(data), "--target", "label", *options, "--objective", text, "--out", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["constraints_met"] is False and set(result["constraints"]) == {"searched", "la"}
    of_chosen = result["constraints"][result["chosen"]]
    sentence = unmet_sentence(result)
    assert sentence.startswith("No loss that was tried meets the constraints on held-out samples: ")
    for bound, figures in of_chosen.items():
        assert figures["violation"] == pytest.approx(max(0, 0.99 - figures["value"]))
        if figures["violation"] > 0:
            assert f"{bound} was asked, {figures['value']:.3g} is reached" in sentence
    said = capsys.readouterr()
    assert sentence in said.err and "No loss that was tried" in said.out
    last = json.loads((out / "history.jsonl").read_text().splitlines()[-1])
    assert last["constraints"] == result["constraints"]["searched"]


def test_without_a_choice_the_last_record_tells(data, tmp_path, no_page):
    out = tmp_path / "run"
    assert search(data, out, "error subject to recall(common)>=0.01") == 0
    result = json.loads((out / "result.json").read_text())
    last = json.loads((out / "history.jsonl").read_text().splitlines()[-1])
    assert result["constraints"] == {"searched": last["constraints"]} and result["constraints_met"] is True
    assert unmet_sentence(result) == ""


@pytest.mark.parametrize(
    "objective, words",
    [
        ("f1(rare)", "there is no class 'rare'; the classes are common, so so, very, rare"),
        ("error subject to recal(common)>=0.8", "no objective is called 'recal'"),
        ("cost(nothing.csv)", "cost(nothing.csv): there is no such file"),
        ("equalised_odds", "the objective equalised_odds needs groups"),
    ],
)
def test_what_cannot_be_is_said_before_anything_takes_time(data, tmp_path, capsys, objective, words):
    assert search(data, tmp_path / "run", objective) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_function_of_the_confusion_matrix(data, tmp_path, monkeypatch, no_page):
    (tmp_path / "my_costs.py").write_text("def missed(rates):\n    return 1 - rates.diagonal().mean()\n")
    monkeypatch.chdir(tmp_path)
    assert search(data, tmp_path / "run", "my_costs:missed") == 0
    test = json.loads((tmp_path / "run" / "result.json").read_text())["test"]["ce"]
    assert 100 * test["objective"] == pytest.approx(test["balanced_error"])


def test_from_python_by_the_names_of_the_classes():
    parts = [tuple(map(torch.from_numpy, draw(seed))) for seed in (0, 1)]
    torch.manual_seed(0)
    result = autobalance.search_loss(
        torch.nn.Linear(3, 3), *parts, objective="0.5*macro_f1 + 0.5*f1(rare)",
        class_names=["often", "at times", "rare"],
        recipe=Recipe(epochs=4, batch_size=16), outer=autobalance.OuterLoop(every=5, lr=0.1),
        hypergradient=autobalance.Replay(3),
    )  # fmt: skip
    assert 0 < result.history[-1]["objective_metric"] < 100 and result.outer_steps > 0
