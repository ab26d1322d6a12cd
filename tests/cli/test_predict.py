"""A run keeps its model: what is read back predicts what was tested, on tables, arrays, images and numbers."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from run_case import OPTIONS, read, search, write_data

from autobalance import load_model
from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.predict import main

pytestmark = pytest.mark.usefixtures("no_page")
FEW = ["--epochs", "3", "--batch-size", "16", "--every", "3", "--unroll", "2", "--seeds", "1", "--baselines", "la"]
FEW += ["--strategy", "interleaved", "--confidence", "0", "--model", "linear"]


def table(n=160):
    rng = np.random.default_rng(0)
    kind = np.where(np.arange(n) % 4 == 0, "rare", "common")
    colours = rng.choice(["red", "green", "blue"], n)
    size = rng.normal(50, 9, n) + 30 * (kind == "rare")
    note = [f"a {colour} {'small' if s < 60 else 'large'} thing" for colour, s in zip(colours, size, strict=True)]
    return pd.DataFrame({"size": size, "colour": colours, "note": note, "kind": kind})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("table")
    table().to_csv(place / "table.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autobalance.cli._run.write_report", lambda directory: None)
        more = ["--target", "kind", "--text", "note"]
        assert search(place / "table.csv", place / "run", *more, options=FEW) == 0
    return place / "run"


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_without_its_target_and_in_another_order_gets_the_predictions_that_were_tested(run, capsys):
    problem = load(str(run.parent / "table.csv"), DataOptions(target="kind", text=("note",)))
    new = table()[["note", "colour", "size"]].assign(further=1)
    new.to_csv(run.parent / "new.csv", index=False)
    out = run.parent / "predictions.csv"
    assert main(["--run", str(run), "--data", str(run.parent / "new.csv"), "--out", str(out)]) == 0
    assert "160 predictions" in capsys.readouterr().out
    found = lines(out)
    assert list(found[0]) == ["prediction", "share common", "share rare"]
    model = load_model(run)
    everything = model.encoder.encode(new)
    places = [int((everything - row).abs().sum(1).argmin()) for row in problem.test.x]
    torch.testing.assert_close(everything[places], problem.test.x)
    wrong = [found[at]["prediction"] != problem.class_names[y] for at, y in zip(places, problem.test.y, strict=True)]
    errors = [100 * np.mean([w for w, y in zip(wrong, problem.test.y, strict=True) if y == k]) for k in (0, 1)]
    assert errors == pytest.approx(read(run)["test"]["searched"]["class_error"])
    assert [row["prediction"] for row in found] == model.predict(new).tolist()
    shares = [[float(row["share common"]), float(row["share rare"])] for row in found]
    np.testing.assert_allclose(shares, model.predict_proba(new), atol=1e-5)
    np.testing.assert_allclose(np.sum(shares, 1), 1, atol=1e-5)


def test_the_files_hold_plain_values_and_reading_them_draws_no_random_numbers(run):
    assert json.loads((run / "model.json").read_text())["provenance"]["chosen"] == "searched"
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = load_model(run), load_model(str(run))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.predict(table()).tolist() == second.predict(table()).tolist()
    assert not first.model.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="size"), "no column 'size', which the model needs: there are colour, note, kind"),
        (lambda t: t.assign(size="big"), "column 'size' is 'big' in data row 1: it held numbers"),
        (lambda t: t.assign(size=np.inf), "column 'size' is inf in data row 1"),
        (lambda t: t.to_numpy(), "rows of a pandas DataFrame, not for a ndarray"),
    ],
)
def test_rows_that_the_model_cannot_be_given(run, change, message):
    with pytest.raises(InputError, match=message):
        load_model(run).predict(change(table()))


def test_what_is_no_run_and_what_is_no_data(run, tmp_path, capsys):
    for arguments, words in (
        (["--run", str(tmp_path), "--data", "new.csv"], "holds no model.json"),
        (["--run", str(run), "--data", "nowhere.csv"], "there is no file nowhere.csv"),
        (["--run", str(run)], "required: --data"),
    ):
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and words in line


def damaged(run, place, change):
    content = json.loads((run / "model.json").read_text())
    change(content)
    (place / "model.json").write_text(json.dumps(content))
    (place / "model.pt").write_bytes((run / "model.pt").read_bytes())
    return place


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(more=1), "unknown keys"),
        (lambda c: c.update(version=2), "version 2"),
        (lambda c: c["encoder"].pop("columns"), "damaged .KeyError: 'columns'"),
        (lambda c: c["encoder"].update(kind="mine"), "damaged .KeyError: 'mine'"),
        (lambda c: c["structure"].update(layers=3), "damaged .TypeError"),
        (lambda c: c["structure"].update(outputs=3), "does not fit the model"),
        (lambda c: c.update(structure=None), r"your own, .* load_model\(DIR, model=...\)"),
    ],
)
def test_a_damaged_description_is_refused(run, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        load_model(damaged(run, tmp_path, change))


def test_tensors_that_are_torn_or_missing_are_refused(run, tmp_path):
    damaged(run, tmp_path, lambda content: None)
    (tmp_path / "model.pt").write_bytes((run / "model.pt").read_bytes()[:100])
    with pytest.raises(InputError, match=r"model\.pt cannot be read"):
        load_model(tmp_path)


def test_ones_own_network_takes_the_weights_where_no_file_can_hold_it(run, tmp_path):
    place = damaged(run, tmp_path, lambda content: content.update(structure=None))
    own = load_model(run).structure.build()
    assert load_model(place, own).predict(table()).tolist() == load_model(run).predict(table()).tolist()
    with pytest.raises(InputError, match="leave `model` out"):
        load_model(run, own)


def test_arrays_are_standardised_as_the_training_samples_were(tmp_path):
    data = write_data(tmp_path / "data.npz")
    assert search(data, tmp_path / "run", "--seeds", "1") == 0
    model, problem = load_model(tmp_path / "run"), load(str(data))
    x = np.load(data)["x_test"]
    torch.testing.assert_close(model.encoder.encode(x), problem.test.x)
    np.savez(tmp_path / "new.npz", x=x)
    out = tmp_path / "out.csv"
    assert main(["--run", str(tmp_path / "run"), "--data", str(tmp_path / "new.npz"), "--out", str(out)]) == 0
    predicted = np.array([int(row["prediction"]) for row in lines(out)])
    errors = [100 * np.mean(predicted[problem.test.y == k] != k) for k in range(4)]
    assert errors == pytest.approx(read(tmp_path / "run")["test"]["searched"]["class_error"])
    with pytest.raises(InputError, match=r"shape \(3,\) beside training samples of shape"):
        model.predict(np.ones((2, 3)))


def test_images_in_a_folder_are_read_as_those_of_the_training(tmp_path):
    rng = np.random.default_rng(0)
    for name, light, number in (("dark", 60, 20), ("light", 180, 12)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(number):
            pixels = rng.integers(light - 40, light + 40, (9, 7, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i:02}.png")
    options = [*FEW, "--image-size", "6"]
    assert search(tmp_path / "images", tmp_path / "run", options=options) == 0
    model, out = load_model(tmp_path / "run"), tmp_path / "out.csv"
    problem = load(str(tmp_path / "images"), DataOptions(image_size=6))
    new = model.encoder.encode(model.encoder.read(str(tmp_path / "images"))).take(torch.arange(32))
    nearest = (problem.test.x[:, None] - new).abs().flatten(2).amax(2).amin(1)
    assert nearest.max() < 1e-5
    assert main(["--run", str(tmp_path / "run"), "--data", str(tmp_path / "images"), "--out", str(out)]) == 0
    found = lines(out)
    assert len(found) == 32 and all(row["prediction"] in row["sample"] for row in found)


def test_numbers_are_predicted_in_the_unit_of_the_targets(tmp_path):
    options = [*OPTIONS, "--task", "regression", "--seeds", "1", "--baselines", "l1"]
    assert search("diabetes", tmp_path / "run", options=options) == 0
    model, problem = load_model(tmp_path / "run"), load("diabetes", DataOptions(task="regression"))
    with torch.no_grad():
        predicted = model.model(problem.test.x).flatten().numpy()
    mae = np.abs(predicted - problem.test.y.numpy()).mean()
    assert mae == pytest.approx(read(tmp_path / "run")["test"]["searched"]["mae"], rel=1e-4)
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).data
    assert model.predict(frame).shape == (442,) and 50 < model.predict(frame).mean() < 250
    with pytest.raises(InputError, match="no probabilities"):
        model.predict_proba(frame)


def test_the_model_of_a_chosen_fixed_loss_is_trained_where_it_was_not_tested(tmp_path):
    data = write_data(tmp_path / "data.npz")
    options = [
        *OPTIONS[:-2],
        "--confidence",
        "0.999999",
        "--seeds",
        "1",
        "--baselines",
        "ce",
        "--strategy",
        "interleaved",
    ]
    assert search(data, tmp_path / "run", options=options) == 0
    model = load_model(tmp_path / "run")
    assert model.provenance["chosen"] == read(tmp_path / "run")["chosen"]
    (tmp_path / "run" / "model.json").unlink()
    before = (tmp_path / "run" / "model.pt").read_bytes()
    assert search(data, tmp_path / "run", "--resume", options=options) == 0
    assert (tmp_path / "run" / "model.pt").read_bytes() == before
