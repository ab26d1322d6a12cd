"""Tables: encoding against pandas done by hand, statistics of the training split alone, classes, errors."""

import gzip

import numpy as np
import pandas as pd
import pytest

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def frame(n=200, **more):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "size": rng.normal(50, 9, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "kind": np.where(np.arange(n) % 10 == 0, "rare", "common"),
        }
        | more
    )


def save(path, table):
    table.to_csv(path / "mine.csv", index=False)
    return str(path / "mine.csv")


def rows_of(part, problem, n=200):
    """The rows behind a part: ``id`` is the first feature, and an affine map away from 0..n-1."""
    parts = (problem.train, problem.validation, problem.test)
    low, high = min(p.x[:, 0].min() for p in parts), max(p.x[:, 0].max() for p in parts)
    return ((part.x[:, 0] - low) / (high - low) * (n - 1)).round().int().tolist()


def test_rows_are_split_disjointly_and_encoded_with_the_statistics_of_the_training_split(tmp_path):
    table = frame()
    problem = load(save(tmp_path, table), DataOptions(target="kind", validation=0.25))
    parts = (problem.train, problem.validation, problem.test)
    rows = [rows_of(part, problem) for part in parts]
    assert sorted(rows[0] + rows[1] + rows[2]) == list(range(200))
    assert problem.class_names == ("common", "rare") and problem.name == "mine"
    assert [part.class_counts(2).tolist() for part in parts] == [[108, 12], [36, 4], [36, 4]]

    numbers = table[["id", "size"]]
    train = numbers.iloc[rows[0]]
    for part, index in zip(parts, rows, strict=True):
        by_hand = (numbers.iloc[index] - train.mean()) / train.std(ddof=0)
        one_hot = np.stack([table["colour"].iloc[index] == c for c in ("blue", "green", "red")], axis=1)
        np.testing.assert_allclose(part.x, np.concatenate([by_hand, one_hot], axis=1), atol=1e-5)
        assert [problem.class_names[k] for k in part.y] == table["kind"].iloc[index].tolist()


def test_a_seed_reproduces_and_another_draws_other_rows(tmp_path):
    path = save(tmp_path, frame())
    drawn = [rows_of(p.test, p) for p in (load(path, DataOptions(target="kind", seed=s)) for s in (1, 1, 2))]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_text_that_the_training_split_lacks_is_zeros(tmp_path):
    table = frame()
    test_row = rows_of((problem := load(save(tmp_path, table), DataOptions(target="kind"))).test, problem)[0]
    table.loc[test_row, "colour"] = "mauve"
    problem = load(save(tmp_path, table), DataOptions(target="kind"))
    assert problem.train.x.shape[1] == 5
    assert problem.test.x[rows_of(problem.test, problem).index(test_row), 2:].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.arange(200) % 11, tuple(str(k) for k in range(11))),
        (np.arange(200) % 2 + 1.0, ("1", "2")),
        (np.arange(200) % 2 == 0, ("False", "True")),
        (np.where(np.arange(200) % 2 == 0, "yes", "no"), ("no", "yes")),
    ],
)
def test_classes_are_in_the_order_of_numbers_or_names(tmp_path, values, names):
    assert load(save(tmp_path, frame(kind=values)), DataOptions(target="kind")).class_names == names


def test_parquet_and_gzip_give_what_csv_gives(tmp_path):
    table = frame()
    expected = load(save(tmp_path, table), DataOptions(target="kind"))
    table.to_parquet(tmp_path / "mine.parquet")
    table.to_csv(tmp_path / "mine.csv.gz", index=False)
    for name in ("mine.parquet", "mine.csv.gz"):
        problem = load(str(tmp_path / name), DataOptions(target="kind"))
        assert problem.name == "mine"
        np.testing.assert_allclose(problem.train.x, expected.train.x, atol=1e-6)


def spoiled(column, row, value):
    table = frame().astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "target", "message"),
    [
        (frame(), None, "needs `target`, the column that holds the class: one of id, size, colour, kind"),
        (frame(), "cost", "has no column 'cost': it has id, size, colour, kind"),
        (frame(kind="same"), "kind", "target 'kind' is constant, always same"),
        (spoiled("kind", 6, None), "kind", "target 'kind' is missing in data row 7"),
        (
            frame(kind=[np.inf] + [1.0, 2.0] * 99 + [1.0]),
            "kind",
            "target 'kind' is inf in data row 1: it must be",
        ),
        (frame(), "size", "'size' is a number with 200 different values, not a class: .* regression"),
        (frame(), "id", "'id' is a number with 200 different values, not a class"),
        (spoiled("size", 3, "-inf"), "kind", "column 'size' is -inf in data row 4"),
        (spoiled("kind", 5, "odd"), "kind", "class 'odd' has 1 sample, too few to split: .* 3 in all; collect more"),
        (frame()[["kind"]], "kind", "has no column beside the target"),
        (frame()[:0], "kind", "has a header but no rows"),
    ],
)
def test_errors_have_the_place_and_the_value(tmp_path, table, target, message):
    path = save(tmp_path, table)
    with pytest.raises(InputError, match=message):
        load(path, DataOptions(target=target))


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_another_separator_is_told(tmp_path, sign):
    frame().to_csv(tmp_path / "mine.csv", sep=sign, index=False)
    with pytest.raises(InputError, match=r"has one column, .* separated by .*, where a"):
        load(str(tmp_path / "mine.csv"), DataOptions(target="kind"))


def test_a_date_that_never_changes_is_left_out(tmp_path):
    frame(when=pd.Timestamp("2020-01-01")).to_parquet(tmp_path / "mine.parquet")
    problem = load(str(tmp_path / "mine.parquet"), DataOptions(target="kind"))
    assert problem.encoder.dropped == (("when", "always the same value"),)


def test_empty_and_torn_files(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"empty.csv is empty"):
        load(str(tmp_path / "empty.csv"), DataOptions(target="kind"))
    packed = gzip.compress(frame().to_csv().encode())
    for name, content in {
        "torn.csv.gz": packed[: len(packed) // 2],
        "odd.csv.gz": b"no gzip",
        "torn.parquet": b"PAR1 no table",
        "ragged.csv": b"a,b\n1,2\n1,2,3\n",
        "latin.csv": "a,b\nä,2\n".encode("latin-1"),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} cannot be read as a table"):
            load(str(tmp_path / name), DataOptions(target="kind"))


def test_a_table_keeps_its_own_frequencies(tmp_path):
    with pytest.raises(
        InputError, match=r"`imbalance` 10 has no effect on .*a table or function keeps its own frequencies"
    ):
        load(save(tmp_path, frame()), DataOptions(target="kind", imbalance=10))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "a,label,label\n1,x,x\n2,y,y\n", "a.csv has 2 columns called 'label'"),
        ("a.csv", "label.1,label,label\n1,x,x\n2,y,y\n", "a.csv has 2 columns called 'label'"),
        ("a.csv", 'a,"la,bel","la,bel"\n1,x,x\n2,y,y\n', "a.csv has 2 columns called 'la,bel'"),
        ("a.tsv", 'a\t"b\t"b\n1\t2\t3\n', "a.tsv has 2 columns called '\"b'"),
        ("a.csv", "a,label\n1,x,y\n2,y,x\n", "Expected 2 fields in line 2, saw 3"),
        ("a.csv", "a,label\n1,x,\n2,y\n", "Expected 2 fields in line 2, saw 3"),
        ("a.csv", "a,label\n1,x\n2,y,x\n", "Expected 2 fields in line 3, saw 3"),
    ],
)
def test_columns_that_cannot_be_told_apart_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load(str(tmp_path / name), DataOptions(target="label"))


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    column = pa.array(["x", "y"])
    parquet.write_table(pa.Table.from_arrays([column, column], names=["label", "label"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="label"):
        load(str(tmp_path / "a.parquet"), DataOptions(target="label"))


def test_whole_numbers_that_floats_merge_stay_different_classes(tmp_path):
    table = frame()
    table["kind"] = np.where(table["kind"] == "rare", 2**53 + 1, 2**53)
    problem = load(save(tmp_path, table), DataOptions(target="kind"))
    assert problem.class_names == (str(2**53), str(2**53 + 1))
    assert problem.test.class_counts(2).tolist() == [36, 4]
