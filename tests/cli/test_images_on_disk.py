"""Everything that runs on samples in memory runs on images on disk, and comes to the same."""

import json
import sys
import types
from dataclasses import replace

import pytest
import torch
from image_cases import write_image, write_lists

from autobalance.data import DataOptions, Problem, Samples, image_files, load
from autobalance.losses import ParametricLoss
from autobalance.models import make_model
from autobalance.search import main
from autobalance.study import named_method
from autobalance.study.steps import Turned
from autobalance.tasks import outputs
from autobalance.training import Recipe, on_features, setting_of, train


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    write_lists(folder, {"train": [30, 16, 8], "val": [6, 6, 6], "test": [5, 5, 5]})
    return folder


def both(folder):
    """The training samples on disk and the same in memory."""
    disk = load(str(folder), DataOptions(image_size=16)).train
    return disk, Samples(disk.all().x, disk.y)


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
def test_training_is_the_same_as_in_memory(lists, augment):
    weights = []
    for samples in both(lists):
        torch.manual_seed(0)
        model = make_model("cnn", samples.shape, 3)
        train(model, samples, ParametricLoss(3), Recipe(epochs=2, batch_size=20, augment=augment), seed=0)
        weights.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_random_crops_follow_the_seed(lists):
    recipe = Recipe(augment="resized-crop")
    for samples in both(lists):
        index = torch.arange(8)
        first, again, other = (recipe.take(samples, index, torch.Generator().manual_seed(s)).x for s in (1, 1, 2))
        assert torch.equal(first, again) and not torch.equal(first, other) and first.shape == (8, 3, 16, 16)


def test_outputs_features_and_turned_images(lists):
    disk, memory = both(lists)
    model = make_model("cnn", disk.shape, 3).eval()
    assert torch.equal(outputs(model, disk), outputs(model, memory))
    turned = [Turned.of(samples) for samples in (disk, memory)]
    index = torch.tensor([3, 57, 111, 165, 2])  # each quarter turn of image 3, and image 2
    for batch in (part.take(index) for part in turned):
        assert batch.y.tolist() == [0, 1, 2, 3, 0]
        for k in range(4):
            torch.testing.assert_close(batch.x[k], torch.rot90(memory.x[3], k, (1, 2)))
    problem, heads = load(str(lists), DataOptions(image_size=16)), []
    for samples in (disk, memory):
        setting = setting_of(replace(problem, train=samples), "cnn")
        heads.append(named_method("crt").train(setting, samples, 0, Recipe(epochs=1)).head.weight)
    assert torch.equal(*heads)


def test_a_function_can_bring_images_on_disk_and_a_trained_model(tmp_path, monkeypatch):
    paths = [write_image(tmp_path / f"{i}.png", i) for i in range(24)]
    y = torch.arange(24) % 2
    module = types.ModuleType("my_images")
    module.problem = lambda: {
        "train": (image_files(paths[:16], 16), y[:16]),
        "test": (image_files(paths[16:], 16), y[16:]),
        "model": lambda: make_model("cnn", (3, 16, 16), 2),
    }
    monkeypatch.setitem(sys.modules, "my_images", module)
    problem = load("my_images:problem")
    assert [len(part) for part in (problem.train, problem.validation, problem.test)] == [12, 4, 8]
    features = on_features(problem, "cpu")
    assert features.train.x.shape == (12, 64) and torch.equal(features.test.y, problem.test.y)
    module.problem = lambda: problem
    assert isinstance(load("my_images:problem"), Problem)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_search_runs_and_resumes(lists, tmp_path, monkeypatch, interrupted, no_page):
    out = str(tmp_path / "run")
    arguments = (
        f"--image-size 8 --model linear --epochs 4 --batch-size 9 --every 6 --seeds 1 --baselines ce --out {out}"
    )
    arguments = ["--data", str(lists), *arguments.split(), "--augment", "resized-crop"]
    if interrupted:
        from autobalance.cli import _run

        def stop(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(_run, "compare_arms", stop)
            assert main(arguments) == 130
        assert main(["--out", out, "--resume"]) == 0
    else:
        assert main(arguments) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["class_counts"] == [30, 16, 8] and result["num_validation"] == 18 and result["num_test"] == 15
    assert 0 <= result["test"]["searched"]["balanced_error"] <= 100


def test_resnet50_takes_a_step_at_224_pixels(tmp_path):
    paths = [write_image(tmp_path / f"{i}.jpg", i, (260, 240)) for i in range(2)]
    samples = Samples(image_files(paths), torch.tensor([0, 1]))
    torch.manual_seed(0)
    model = make_model("resnet50", samples.shape, 2)
    before = model.head.weight.detach().clone()
    train(model, samples, ParametricLoss(2), Recipe(epochs=1, batch_size=2, lr=0.01, augment="resized-crop"), seed=0)
    assert not torch.equal(before, model.head.weight) and outputs(model, samples).isfinite().all()
