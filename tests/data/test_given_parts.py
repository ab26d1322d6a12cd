"""Tables that say themselves which rows are for training, validation and test: one file a part, or a column."""

import numpy as np
import pandas as pd
import pytest

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data.sources._part_files import part_files


def rows(n, start=0):
    number = np.arange(start, start + n)
    return pd.DataFrame({"id": number, "kind": np.where(number % 4 == 0, "rare", "common"), "size": number / 7})


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, frame in files.items():
        stem, _, kind = name.rpartition("__")
        frame.to_csv(folder / f"{stem}.{kind}", index=False, sep="\t" if kind == "tsv" else ",")
    return str(folder)


def ids(problem, n):
    """The row numbers of each part: ``id`` is the first feature, and an affine map away from 0..n-1."""
    parts = [part.x[:, 0].double() for part in (problem.train, problem.validation, problem.test)]
    low, high = min(x.min() for x in parts), max(x.max() for x in parts)
    return [((x - low) / (high - low) * (n - 1)).round().int().tolist() for x in parts]


@pytest.mark.parametrize(
    "names", [("train__csv", "val__csv", "test__csv"), ("my_train__tsv", "dev_new__tsv", "Test-1__tsv")]
)
def test_one_file_a_part(tmp_path, names):
    folder = write(tmp_path / "mine", **dict(zip(names, (rows(60), rows(20, 60), rows(30, 80)), strict=True)))
    (tmp_path / "mine" / "readme_train.md").write_text("not a table")
    problem = load(folder, DataOptions(target="kind"))
    assert ids(problem, 110) == [list(range(60)), list(range(60, 80)), list(range(80, 110))]
    assert problem.name == "mine" and problem.class_names == ("common", "rare")
    assert len(problem.final_training) == 60
    with pytest.raises(InputError, match=r"`validation` .* has no effect .* there are validation samples already"):
        load(folder, DataOptions(target="kind", validation=0.3))


def test_validation_is_drawn_from_training_where_there_is_none(tmp_path):
    problem = load(write(tmp_path / "a", train__csv=rows(60), test__csv=rows(30, 60)), DataOptions(target="kind"))
    train, validation, test = ids(problem, 90)
    assert sorted(train + validation) == list(range(60)) and len(validation) == 12 and test == list(range(60, 90))
    assert len(problem.final_training) == 60


def test_without_a_test_part_the_validation_part_is_the_test_part(tmp_path):
    problem = load(
        write(tmp_path / "a", train__csv=rows(60), val__csv=rows(30, 60)), DataOptions(target="size", task="regression")
    )
    train, validation, test = ids(problem, 90)
    assert sorted(train + validation) == list(range(60)) and test == list(range(60, 90))


def test_a_column_that_says_the_part(tmp_path):
    frame = rows(90).assign(part=["train"] * 50 + ["Val"] * 20 + ["test"] * 20)
    frame = frame.sample(frac=1, random_state=0)
    folder = write(tmp_path, all__csv=frame)
    for task in ({"target": "kind"}, {"target": "size", "task": "regression"}):
        problem = load(f"{folder}/all.csv", DataOptions(split="part", **task))
        numbers = [sorted(part) for part in ids(problem, 90)]
        assert numbers == [list(range(50)), list(range(50, 70)), list(range(70, 90))]


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({"train__csv": rows(60)}, {}, "holds train.csv, but no such file"),
        ({"train__csv": rows(60), "a_train__tsv": rows(9)}, {}, "two files for train, a_train.tsv and train.csv"),
        (
            {"train__csv": rows(60), "test__csv": rows(30)[["id", "kind"]]},
            {},
            "only one of train.csv and test.csv has the column 'size'",
        ),
        (
            {"train__csv": rows(60), "test__csv": rows(30).assign(size="big")},
            {},
            "'size' holds numbers in only one of train.csv and test.csv",
        ),
        ({"train__csv": rows(60), "test__csv": rows(30).assign(kind="new")}, {}, "of the train rows has no .* class 1"),
        (
            {"train__csv": rows(60), "test__csv": rows(30).assign(size=[*range(29), np.inf])},
            {},
            "'size' is inf in test.csv, data row 30",
        ),
        ({"train__csv": rows(60), "test__csv": rows(30)}, {"split": "kind"}, "`split` kind has no effect"),
    ],
)
def test_files_that_do_not_fit(tmp_path, files, options, words):
    with pytest.raises(InputError, match=words):
        load(write(tmp_path / "mine", **files), DataOptions(**{"target": "kind", **options}))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (["train"] * 59 + ["nowhere"], "`split` part is 'nowhere' in data row 60 .* must be train, val or test"),
        (["train"] * 60, "says train only"),
        (["val"] * 30 + ["test"] * 30, "says val, test only"),
    ],
)
def test_columns_that_do_not_fit(tmp_path, parts, words):
    folder = write(tmp_path, all__csv=rows(60).assign(part=parts))
    with pytest.raises(InputError, match=words):
        load(f"{folder}/all.csv", DataOptions(split="part", target="kind"))
    with pytest.raises(InputError, match="no column 'pert'"):
        load(f"{folder}/all.csv", DataOptions(split="pert", target="kind"))


def test_names_of_part_files(tmp_path):
    for name in ("iNaturalist18_train.txt", "iNaturalist18_val.txt", "train_and_test.txt", "x.txt", ".train.txt"):
        (tmp_path / name).touch()
    found = part_files(tmp_path, (".txt",))
    assert {part: path.name for part, path in found.items()} == {
        "train": "iNaturalist18_train.txt",
        "val": "iNaturalist18_val.txt",
    }
    assert part_files(tmp_path, (".csv",)) == {}
