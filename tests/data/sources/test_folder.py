"""Folders of images: classes from names, one size, given and drawn splits, errors."""

import numpy as np
import pytest
import torch
from PIL import Image

from autobalance.common import InputError
from autobalance.data import DataOptions, ImageFiles, load
from autobalance.data.sources import _folder


def fill(folder, counts, size=(6, 6)):
    """Plain images, each of a grey level of its own, in one sub-folder a class."""
    level = 0
    for name, n in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.new("L", size, level).save(folder / name / f"{i}.png")
            level += 1


def test_sub_folders_are_classes_and_every_image_is_in_one_part(tmp_path):
    fill(tmp_path, {"cat": 20, "ant": 10}, size=(9, 5))
    (tmp_path / ".cache").mkdir()
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    problem = load(str(tmp_path))
    parts = (problem.train, problem.validation, problem.test)
    assert problem.class_names == ("ant", "cat")
    assert [part.class_counts(2).tolist() for part in parts] == [[6, 13], [2, 3], [2, 4]]
    assert problem.train.x.shape[1:] == (3, 32, 32)
    x = np.concatenate([part.x[:, 0, 0, 0] for part in parts])
    y = np.concatenate([part.y for part in parts])
    # the levels 0..29 were given out class by class, to the 20 cats first
    level = np.rint((x - x.min()) / (x.max() - x.min()) * 29).astype(int)
    assert sorted(level) == list(range(30))
    assert np.array_equal(y, (level < 20).astype(int))


def test_train_val_and_test_folders_are_the_splits(tmp_path):
    for part, n in (("train", 5), ("val", 3), ("test", 2)):
        fill(tmp_path / part, {"a": n, "b": n + 1})
    problem = load(str(tmp_path), DataOptions(image_size=4))
    assert [len(p) for p in (problem.train, problem.validation, problem.test)] == [11, 7, 5]
    assert problem.test.x.shape == (5, 3, 4, 4)
    (tmp_path / "test" / "c").mkdir()
    with pytest.raises(InputError, match="is not a class of the training images: a, b"):
        load(str(tmp_path))


def test_colours_and_size_are_those_of_the_image(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "test" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(image).save(tmp_path / "train" / name / f"{i}.png")
        Image.fromarray(image).save(tmp_path / "test" / name / "0.png")
    problem = load(str(tmp_path))
    by_hand = (image - image.mean((0, 1))) / image.std((0, 1))
    np.testing.assert_allclose(problem.test.x[0].permute(1, 2, 0), by_hand, atol=1e-5)


def test_an_imbalance_thins_out(tmp_path):
    fill(tmp_path, {"a": 20, "b": 20})
    problem = load(str(tmp_path), DataOptions(imbalance=4))
    assert (problem.train.class_counts(2) + problem.validation.class_counts(2)).tolist() == [16, 4]


def test_errors(tmp_path):
    with pytest.raises(InputError, match="has 0 sub-folders"):
        load(str(tmp_path))
    fill(tmp_path, {"a": 5, "b": 2})
    with pytest.raises(InputError, match="class 'b' has 2 samples, too few to split"):
        load(str(tmp_path))
    with pytest.raises(InputError, match=r"`target` x has no effect on .*: leave it out"):
        load(str(tmp_path), DataOptions(target="x"))
    whole = (tmp_path / "a" / "0.png").read_bytes()
    for content in (b"", b"no image", whole[:40]):
        (tmp_path / "b" / "bad.PNG").write_bytes(content)
        with pytest.raises(InputError, match=r"1 image cannot be read: .*b/bad.PNG \("):
            load(str(tmp_path))
    (tmp_path / "c").mkdir()
    (tmp_path / "b" / "bad.PNG").unlink()
    with pytest.raises(InputError, match="c has no images: class 'c' needs some"):
        load(str(tmp_path))


def test_folders_within_the_class_folders_are_groups(tmp_path):
    for place, (name, n) in enumerate({"cat": 12, "dog": 9}.items()):
        fill(tmp_path / name, {"day": n, "night": 6 + place})
    problem = load(str(tmp_path))
    assert (problem.class_names, problem.group_names) == (("cat", "dog"), ("day", "night"))
    cells = [part.cell_counts(2, 2) for part in (problem.train, problem.validation, problem.test)]
    assert sum(cells).tolist() == [[12, 6], [9, 7]] and all((part > 0).all() for part in cells)


def test_folders_of_groups_that_do_not_fit(tmp_path):
    fill(tmp_path / "cat", {"day": 9, "night": 9})
    fill(tmp_path / "dog", {"day": 9})
    with pytest.raises(InputError, match="class 'dog' of group 'night' needs some"):
        load(str(tmp_path))
    fill(tmp_path / "one" / "cat", {"day": 9})
    fill(tmp_path / "one" / "dog", {"day": 9})
    with pytest.raises(InputError, match="has the one group 'day'"):
        load(str(tmp_path / "one"))
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            fill(tmp_path / "split" / part / name, {"day": 3, "night" if part == "train" else "dusk": 3})
    with pytest.raises(InputError, match="is not a group of the training images: day, night"):
        load(str(tmp_path / "split"))


def test_a_size_of_ones_own_and_no_other_folder_for_images(tmp_path):
    fill(tmp_path, {"a": 5, "b": 6})
    assert load(str(tmp_path), DataOptions(image_size=48)).train.shape == (3, 48, 48)
    with pytest.raises(InputError, match="`images` elsewhere has no effect"):
        load(str(tmp_path), DataOptions(images="elsewhere"))


def test_many_images_stay_on_disk_and_are_the_same(tmp_path, monkeypatch):
    fill(tmp_path, {"cat": 20, "ant": 10}, size=(9, 5))
    in_memory = load(str(tmp_path), DataOptions(imbalance=2))
    monkeypatch.setattr(_folder, "IN_MEMORY", 0)
    on_disk = load(str(tmp_path), DataOptions(imbalance=2))
    assert isinstance(in_memory.train.x, torch.Tensor) and isinstance(on_disk.train.x, ImageFiles)
    for part in ("train", "validation", "test"):
        memory, disk = getattr(in_memory, part).all(), getattr(on_disk, part).all()
        assert torch.equal(memory.y, disk.y)
        torch.testing.assert_close(memory.x, disk.x, atol=1e-5, rtol=1e-5)


def test_names_of_folders_are_numbers_to_predict(tmp_path):
    fill(tmp_path, {"21": 30, "22.5": 20, "40": 10})
    problem = load(str(tmp_path), DataOptions(task="regression", bins=4))
    assert set(problem.train.y.tolist()) == {21.0, 22.5, 40.0} and len(problem.test) == 12
    (tmp_path / "40").rename(tmp_path / "old")
    with pytest.raises(InputError, match="old is not a number: for `task` regression"):
        load(str(tmp_path), DataOptions(task="regression"))
