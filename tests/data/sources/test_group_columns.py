"""Groups of a table's rows: columns, cuts, combinations, what the model sees, errors."""

import numpy as np
import pandas as pd
import pytest

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def frame(n=240):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(50, 9, n),
            "sex": np.where(np.arange(n) % 3 == 0, "Female", "Male"),
            "age": np.arange(n) % 60 + 0.5,
            "kind": np.where(np.arange(n) % 5 == 0, "rare", "common"),
            "code": 1 + np.arange(n) % 2,
        }
    )


@pytest.fixture
def path(tmp_path):
    frame().to_csv(tmp_path / "mine.csv", index=False)
    return str(tmp_path / "mine.csv")


def cells_by_pandas(group):
    return pd.crosstab(frame()["kind"], group).to_numpy()


def total(problem):
    parts = (problem.train, problem.validation, problem.test)
    return sum(part.cell_counts(problem.num_classes, problem.num_groups) for part in parts).numpy()


@pytest.mark.parametrize(
    "spec, names, by_hand",
    [
        ("sex", ("Female", "Male"), lambda f: f["sex"]),
        ("age:20", ("age < 20", "age >= 20"), lambda f: f["age"] >= 20),
        (
            "age:20:40.5",
            ("age < 20", "20 <= age < 40.5", "age >= 40.5"),
            lambda f: (f["age"] >= 20).astype(int) + (f["age"] >= 40.5),
        ),
        ("code", ("code 1", "code 2"), lambda f: f["code"]),
        (
            "sex,age:20",
            ("Female, age < 20", "Female, age >= 20", "Male, age < 20", "Male, age >= 20"),
            lambda f: f["sex"] + (f["age"] >= 20).astype(str),
        ),
    ],
)
def test_groups_are_values_cuts_and_combinations(path, spec, names, by_hand):
    problem = load(path, DataOptions(target="kind", group=tuple(spec.split(","))))
    assert problem.group_names == names
    assert np.array_equal(total(problem), cells_by_pandas(by_hand(frame())))
    for part in (problem.train, problem.validation, problem.test):
        assert (part.cell_counts(2, len(names)) > 0).all()


def test_the_model_sees_the_column_only_where_asked(path):
    hidden, seen = (
        load(path, DataOptions(target="kind", group=("sex",), group_as_feature=flag)) for flag in (False, True)
    )
    assert hidden.train.x.shape[1] == 3 and seen.train.x.shape[1] == 5
    assert hidden.train.group.tolist() == seen.train.group.tolist()
    assert load(path, DataOptions(target="kind", group=("sex", "age:20"))).train.x.shape[1] == 2


def test_a_column_may_have_commas_and_colons_in_its_name(tmp_path):
    frame().rename(columns={"sex": "sex, at birth:"}).to_csv(tmp_path / "odd.csv", index=False)
    problem = load(str(tmp_path / "odd.csv"), DataOptions(target="kind", group=("sex, at birth:",)))
    assert problem.group_names == ("Female", "Male")


def test_given_parts_keep_their_groups(tmp_path):
    table = frame()
    table["part"] = np.repeat(["train", "test"], 120)
    table.to_csv(tmp_path / "mine.csv", index=False)
    problem = load(str(tmp_path / "mine.csv"), DataOptions(target="kind", group=("sex",), split="part"))
    assert np.array_equal(
        problem.test.cell_counts(2, 2).numpy(), pd.crosstab(table["kind"][120:], table["sex"][120:]).to_numpy()
    )


@pytest.mark.parametrize(
    "spec, words",
    [
        ("gender", "has no column 'gender' for `group`: it has size, sex"),
        ("kind", "'kind' is the target"),
        ("sex,sex", "names a column twice"),
        ("age", r"the group 'age' has 60 different values, more than 20: give cuts, such as `group` age:30"),
        ("sex:3", "the group 'sex' holds no numbers to cut at 3"),
        ("age:x", "increasing numbers"),
        ("age:30:20", "increasing numbers"),
        ("age:nan", "increasing numbers"),
        ("age:500", "all rows are in one group"),
    ],
)
def test_groups_that_cannot_be(path, spec, words):
    with pytest.raises(InputError, match=words):
        load(path, DataOptions(target="kind", group=tuple(spec.split(","))))


def test_a_cell_with_too_few_rows_is_named_with_its_count(tmp_path):
    table = frame()
    table.loc[(table["sex"] == "Female") & (table["kind"] == "rare"), "kind"] = "common"
    table.loc[[0, 3], "kind"] = "rare"
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(InputError, match="class 'rare' of group 'Female' has 2 samples, too few to split"):
        load(str(tmp_path / "mine.csv"), DataOptions(target="kind", group=("sex",)))


def test_a_row_without_a_group_is_named(tmp_path):
    table = frame()
    table.loc[7, "sex"] = np.nan
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(InputError, match=r"the group 'sex' has no value \(NaN\) in data row 8"):
        load(str(tmp_path / "mine.csv"), DataOptions(target="kind", group=("sex",)))


def test_options_without_effect_are_errors(path):
    with pytest.raises(InputError, match="`group_as_feature` has no effect without `group`"):
        load(path, DataOptions(target="kind", group_as_feature=True))
    with pytest.raises(InputError, match="`group` sex has no effect on digits-groups"):
        load("digits-groups", DataOptions(group=("sex",)))
    with pytest.raises(InputError, match="`group` sex has no effect on a regression"):
        load(path, DataOptions(target="size", group=("sex",), task="regression"))


def test_a_missing_group_is_named_by_its_file_and_row(tmp_path):
    whole, bad = frame(), frame()
    bad.loc[3, "sex"] = None
    whole.to_csv(tmp_path / "train.csv", index=False)
    bad.to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(InputError, match=r"'sex' has no value \(NaN\) in test\.csv, data row 4: "):
        load(str(tmp_path), DataOptions(target="kind", group=("sex",)))
