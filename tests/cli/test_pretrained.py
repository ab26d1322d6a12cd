"""A pretrained backbone, its weights in a file: as it stands or fine-tuned, and predicting from images."""

import csv
import json

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from run_case import read

from autobalance import load_model
from autobalance.cli import main
from autobalance.data import DataOptions, load
from autobalance.training import fine_tuned, on_backbone

SIZE = 32


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images whose class is their colour, and random weights."""
    folder, rng = tmp_path_factory.mktemp("backbone"), np.random.default_rng(0)
    for name, colour, number in (("dark", 60, 30), ("light", 180, 14)):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(number):
            pixels = np.clip(rng.normal(colour, 20, (40, 36, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{i}.png")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), folder / "weights.pth")
    return folder


def arguments(place, out, *more):
    given = ["--data", str(place / "images"), "--backbone", "resnet18", "--weights", str(place / "weights.pth")]
    run = ["--seeds", "1", "--baselines", "ce", "--strategy", "prediction", "--budget", "2", "--out", str(out)]
    return ["search", *given, "--image-size", str(SIZE), *run, *more]


@pytest.mark.usefixtures("no_page")
def test_a_search_on_its_features_keeps_the_whole_network(place, tmp_path, capsys):
    assert main(arguments(place, tmp_path / "run", "--features-only", "--epochs", "20")) == 0
    result = read(tmp_path / "run")
    assert result["model"] == "linear on torchvision/resnet18" and result["data"] == "images features"
    assert result["test"]["ce"]["balanced_error"] < 10
    images = sorted(map(str, (place / "images").glob("*/*.png")))
    assert main(["predict", "--run", str(tmp_path / "run"), "--data", str(place / "images"),
                 "--out", str(tmp_path / "new.csv")]) == 0  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "new.csv").read_text().splitlines()))
    assert [row["sample"] for row in rows] == images
    assert np.mean([row["prediction"] == row["sample"].split("/")[-2] for row in rows]) > 0.9
    # by hand: torchvision's network, its features standardised and put through the layer that was trained
    network = torchvision.models.resnet18()
    network.load_state_dict(torch.load(place / "weights.pth", weights_only=True))
    network.fc = torch.nn.Identity()
    model = load_model(tmp_path / "run")
    with torch.no_grad():
        features = network.eval()(model.encoder.encode(images).take(torch.arange(len(images))))
    by_hand = model.model.head((features - model.model.body[1].mean) / model.model.body[1].scale)
    torch.testing.assert_close(model.outputs(images), model.scale * by_hand.detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("no_page")
def test_a_search_fine_tunes_it(place, tmp_path):
    assert main(arguments(place, tmp_path / "run", "--epochs", "2", "--batch-size", "12", "--lr", "0.01")) == 0
    assert json.loads((tmp_path / "run" / "model.json").read_text())["structure"]["name"] == "torchvision/resnet18"
    weights = load_model(tmp_path / "run").model.state_dict()
    before = torch.load(place / "weights.pth", weights_only=True)
    assert not torch.equal(weights["body.0.conv1.weight"], before["conv1.weight"])


def test_every_training_starts_from_the_weights_in_the_file(place):
    problem = load(str(place / "images"), DataOptions(backbone="resnet18", image_size=SIZE))
    setting = fine_tuned(problem, "resnet18", place / "weights.pth")
    first, other = (setting.new_model(seed).state_dict() for seed in (0, 1))
    before = torch.load(place / "weights.pth", weights_only=True)
    for weights in (first, other):
        assert all(torch.equal(weights[f"body.0.{key}"], before[key]) for key in before if not key.startswith("fc."))
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_features_are_standardised_by_the_training_images(place):
    problem = load(str(place / "images"), DataOptions(backbone="resnet18", image_size=SIZE))
    train = on_backbone(problem, "resnet18", place / "weights.pth").problem.train
    torch.testing.assert_close(train.x.mean(0), torch.zeros(512), atol=1e-4, rtol=0)
    spread = train.x.std(0, correction=0)  # random weights leave some features 0 for every image
    torch.testing.assert_close(spread, (spread > 0.5).float(), atol=1e-3, rtol=0)
    assert (spread > 0.5).sum() > 400


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--weights", "w.pth"], "--weights w.pth has no effect without --backbone"),
        (["--backbone", "resnet18", "--model", "cnn"], "--model cnn has no effect with --backbone resnet18"),
        (["--backbone", "resnet18"], "--backbone resnet18 has no effect on digits: leave it out, it is for images"),
        (["--backbone", "resnet180"], "there is no --backbone resnet180"),
    ],
)
def test_options_without_effect(tmp_path, capsys, more, words):
    assert main(["search", *more, "--out", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err


def test_features_cannot_be_augmented(place, tmp_path, capsys):
    assert main(arguments(place, tmp_path / "run", "--features-only", "--augment", "crop-flip")) == 2
    assert "--augment crop-flip is for images" in capsys.readouterr().err
