"""Lists, annotations and tables of images: every image has its own target; splits, long tails, errors with the line."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from image_cases import write_image, write_lists

from autobalance.common import InputError
from autobalance.data import DataOptions, image_files, load

COUNTS = {"train": [9, 4, 3], "val": [2, 2, 2], "test": [3, 2, 2]}


def files_of(samples, root):
    return [str(file).removeprefix(f"{root}/") for file in samples.x.files]


def test_lists_of_three_parts(tmp_path):
    listed = write_lists(tmp_path, COUNTS)
    problem = load(str(tmp_path), DataOptions(image_size=16))
    for part, samples in zip(COUNTS, (problem.train, problem.validation, problem.test), strict=True):
        found = list(zip(files_of(samples, tmp_path), samples.y.tolist(), strict=True))
        assert found == listed[part]
        assert samples.class_counts(3).tolist() == COUNTS[part]
    assert problem.class_names == ("0", "1", "2") and problem.train.shape == (3, 16, 16)
    assert len(problem.final_training) == 16
    assert load(str(tmp_path)).train.shape == (3, 224, 224)
    paths = [tmp_path / path for path, _ in listed["test"]]
    assert torch.equal(problem.test.all().x, image_files(paths, 16, centre=True).take(torch.arange(7)))


def test_images_may_lie_elsewhere_and_without_a_test_list_val_is_tested_on(tmp_path):
    listed = write_lists(tmp_path / "lists", {"train": [10, 6], "val": [2, 3]})
    (tmp_path / "lists" / "images").rename(tmp_path / "images")
    with pytest.raises(InputError, match=r"Mine_LT_train.txt, line 1: there is no image .*`images` names the folder"):
        load(str(tmp_path / "lists"))
    problem = load(str(tmp_path / "lists"), DataOptions(images=str(tmp_path), validation=0.25))
    assert files_of(problem.test, tmp_path) == [path for path, _ in listed["val"]]
    drawn = sorted(files_of(problem.train, tmp_path) + files_of(problem.validation, tmp_path))
    assert drawn == sorted(path for path, _ in listed["train"])
    assert problem.validation.class_counts(2).tolist() == [2, 2] and not problem.own_validation


def test_a_long_tail_is_cut_out_of_the_training_images(tmp_path):
    write_lists(tmp_path, {"train": [8, 8, 8], "val": [1, 1, 1], "test": [2, 2, 2]})
    problem = load(str(tmp_path), DataOptions(imbalance=4))
    assert problem.train.class_counts(3).tolist() == [8, 4, 2] and len(problem.validation) == 3
    step = load(str(tmp_path), DataOptions(imbalance=4, imbalance_type="step"))
    assert step.train.class_counts(3).tolist() == [8, 8, 2]


def test_numbers_to_predict_are_read_from_lists_and_keep_the_whole_image(tmp_path):
    listed = write_lists(tmp_path, {"train": [4, 3, 5, 2], "test": [1, 1, 1]})
    problem = load(str(tmp_path), DataOptions(task="regression", image_size=8))
    assert problem.class_names == ("0", "1", "2", "3") and problem.train.y.dtype == torch.float32
    paths = [tmp_path / path for path, _ in listed["test"]]
    assert torch.equal(problem.test.all().x, image_files(paths, 8, centre=False).take(torch.arange(3)))


def write_annotations(folder, counts):
    """iNaturalist's form: the order of annotations is not that of the images."""
    made = write_lists(folder / "txt", counts)
    categories = [{"id": k, "name": f"species {k}", "supercategory": "x"} for k in range(3)]
    for part, lines in made.items():
        images = [{"id": 100 + i, "file_name": f"txt/{path}", "width": 3} for i, (path, _) in enumerate(lines)]
        annotations = [{"id": i, "image_id": 100 + i, "category_id": k} for i, (_, k) in enumerate(lines)][::-1]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{part}2018.json").write_text(json.dumps(content))
    return made


def test_annotations_of_inaturalist(tmp_path):
    made = write_annotations(tmp_path, {"train": [9, 4, 3], "val": [2, 2, 2]})
    (tmp_path / "test2018.json").write_text(json.dumps({"images": []}))  # as published, without labels
    problem = load(str(tmp_path))
    assert problem.class_names == ("species 0", "species 1", "species 2")
    names = [name.removeprefix("txt/") for name in files_of(problem.test, tmp_path)]
    assert list(zip(names, problem.test.y.tolist(), strict=True)) == made["val"]
    assert (problem.train.class_counts(3) + problem.validation.class_counts(3)).tolist() == [9, 4, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("images"), "holds no 'images'"),
        (lambda c: c["annotations"].pop(), r"train2018.json: image 0 \(txt/.*\) has no annotation"),
        (lambda c: c["annotations"][0].update(category_id=7), "has no annotation with a category"),
        (lambda c: c["categories"].pop(0), "the ids of its 2 categories must be 0 to 1"),
        (lambda c: c["categories"][0].pop("name"), "must be a list of id and name"),
        (lambda c: c["images"][0].pop("file_name"), "images need id and file_name"),
    ],
)
def test_annotations_that_cannot_be_used(tmp_path, change, words):
    write_annotations(tmp_path, {"train": [3, 3, 3], "val": [1, 1, 1]})
    content = json.loads((tmp_path / "train2018.json").read_text())
    change(content)
    (tmp_path / "train2018.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("alone", r"Mine_LT_train.txt, line 9, is 'alone': it must be a path and a class 0, 1, 2"),
        ("a.png cat", "line 9, is 'a.png cat'"),
        ("a.png -1", "line 9, is 'a.png -1'"),
        ("a.png 1", r"line 9: there is no image .*a.png"),
        ("images/train 0.png 4", r"Mine_LT_train.txt: label has no sample of class 3"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path, line, words):
    write_lists(tmp_path, {"train": [3, 2, 2], "test": [1, 1, 1]})
    with (tmp_path / "Mine_LT_train.txt").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


def test_a_test_list_without_one_of_the_classes(tmp_path):
    write_lists(tmp_path, {"train": [3, 2, 2], "test": [1, 1]})
    with pytest.raises(InputError, match=r"Mine_LT_test.txt: label has no sample of class 2"):
        load(str(tmp_path))


def faces(folder, n=70):
    """A table as AgeDB-DIR has it: age, path, split."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        write_image(folder / "AgeDB" / f"{i}_name_f.jpg", i, (20, 20))
        rows.append((int(rng.integers(20, 40)), f"AgeDB/{i}_name_f.jpg", ("train", "train", "val", "test")[i % 4]))
    table = pd.DataFrame(rows, columns=["age", "path", "split"])
    table.to_csv(folder / "agedb.csv", index=False)
    return table


def test_a_table_of_images_with_ages(tmp_path):
    table = faces(tmp_path)
    options = {"target": "age", "task": "regression", "images": str(tmp_path), "image_size": 12}
    problem = load(str(tmp_path / "agedb.csv"), DataOptions(split="split", **options))
    for part, samples in (("train", problem.train), ("val", problem.validation), ("test", problem.test)):
        rows = table[table["split"] == part]
        assert files_of(samples, tmp_path) == rows["path"].tolist() and samples.y.tolist() == rows["age"].tolist()
    assert set(np.diff(problem.bin_edges)) == {1.0} and problem.name == "agedb"
    drawn = load(str(tmp_path / "agedb.csv"), DataOptions(**options))
    names = [name for part in (drawn.train, drawn.validation, drawn.test) for name in files_of(part, tmp_path)]
    assert sorted(names) == sorted(table["path"]) and len(drawn.test) == 14

    table["kind"] = np.where(table["age"] < 30, "young", "old")
    table.to_csv(tmp_path / "agedb.csv", index=False)
    problem = load(str(tmp_path / "agedb.csv"), DataOptions(split="split", target="kind", images=str(tmp_path)))
    assert problem.class_names == ("old", "young") and problem.train.shape == (3, 224, 224)

    table["sex"] = np.where(np.arange(len(table)) % 3 == 0, "f", "m")
    table.to_csv(tmp_path / "agedb.csv", index=False)
    for options in ({"split": "split"}, {}):
        problem = load(
            str(tmp_path / "agedb.csv"), DataOptions(target="kind", group=("sex",), images=str(tmp_path), **options)
        )
        sex = dict(zip(table["path"], table["sex"], strict=True))
        for part in (problem.train, problem.validation, problem.test):
            assert [problem.group_names[g] for g in part.group] == [sex[name] for name in files_of(part, tmp_path)]


def test_the_metadata_of_waterbirds_as_published(tmp_path):
    rows = [(y, place, split) for split in range(3) for y in range(2) for place in range(2) for _ in range(3)]
    names = [f"{i:03d}.Bird/Bird_{i:04d}.png" for i in range(len(rows))]
    for seed, name in enumerate(names):
        write_image(tmp_path / name, seed)
    table = pd.DataFrame(rows, columns=["y", "place", "split"])
    table = table.assign(img_id=range(len(rows)), img_filename=names, place_filename="/b/beach/1.jpg")
    table.to_csv(tmp_path / "metadata.csv", index=False)
    options = {"target": "y", "group": ("place",), "split": "split", "images": str(tmp_path), "image_size": 8}
    problem = load(str(tmp_path / "metadata.csv"), DataOptions(**options))
    for number, samples in enumerate((problem.train, problem.validation, problem.test)):
        part = table[table["split"] == number]
        assert files_of(samples, tmp_path) == part["img_filename"].tolist()
        assert samples.y.tolist() == part["y"].tolist() and samples.group.tolist() == part["place"].tolist()
    table.assign(split=table["split"] + 1).to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(InputError, match="it must be train, val or test, or 0, 1 or 2 for these"):
        load(str(tmp_path / "metadata.csv"), DataOptions(**options))
    table.drop(columns="img_filename").to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(InputError, match="has no column 'path', which `images` needs, nor img_filename"):
        load(str(tmp_path / "metadata.csv"), DataOptions(**options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drop": ["split"]}, "`drop` split has no effect on .*agedb.csv: .*whose rows are the inputs"),
        ({"target": "path"}, "'path' holds no numbers"),
        ({"images": "nowhere"}, r"agedb.csv, data row 1: there is no image nowhere/AgeDB/0_name_f.jpg"),
        ({"images": None, "image_size": 8}, "`image_size` 8 has no effect on .*agedb.csv: .* for images in files"),
        ({"imbalance": 3.0}, "`imbalance` 3 has no effect"),
    ],
)
def test_tables_of_images_that_cannot_be_used(tmp_path, options, words):
    faces(tmp_path, 8)
    options = {"target": "age", "task": "regression", "split": "split", "images": str(tmp_path), **options}
    with pytest.raises(InputError, match=words):
        load(str(tmp_path / "agedb.csv"), DataOptions(**options))


def test_sources_without_images_in_files():
    with pytest.raises(InputError, match="`image_size` 64 has no effect on digits"):
        load("digits", DataOptions(image_size=64))
    with pytest.raises(InputError, match="`images` there has no effect on mine:data"):
        load("mine:data", DataOptions(images="there"))
