"""Messy columns: against scikit-learn's transformers, pandas' parts of dates, and what was said of them."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data.encoders import Kept, TableEncoder, encoder_of
from autobalance.data.encoders._columns import MOST_CATEGORIES

N, TRAIN = 90, np.arange(0, 60)


def gappy(values, every, what=None):
    column = pd.Series(values)
    column[::every] = what
    return column


def encoded(frame, rows=TRAIN):
    """The frame as its encoder has it, after the encoder went through JSON."""
    encoder = TableEncoder.fit(frame, rows=rows)
    kept = encoder.kept()
    again = encoder_of(Kept(json.loads(json.dumps(kept.settings)), kept.tensors))
    assert again == encoder
    return again.encode(frame).double().numpy()


def test_gaps_in_numbers_are_the_median_and_marked_as_scikit_learn_does_it():
    frame = pd.DataFrame({"a": gappy(np.random.default_rng(0).normal(3, 2, N), 7, np.nan)})
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(frame.iloc[TRAIN])
    filled = imputer.transform(frame)
    scaled = StandardScaler().fit(filled[TRAIN, :1]).transform(filled[:, :1])
    np.testing.assert_allclose(encoded(frame), np.hstack([scaled, filled[:, 1:]]), atol=1e-6)


def test_a_gap_that_the_training_rows_lack_is_filled_without_a_mark():
    frame = pd.DataFrame({"a": np.arange(N, dtype=float), "c": ["x", "y"] * (N // 2)})
    frame.loc[80, ["a", "c"]] = np.nan, None
    found = encoded(frame)
    assert found.shape == (N, 3) and found[80].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_rare_categories_are_joined_and_gaps_are_a_category_as_scikit_learn_does_it():
    rng = np.random.default_rng(0)
    values = np.r_[rng.choice([f"v{i:02}" for i in range(60)], 600), ["new"] * 5]
    frame = pd.DataFrame({"c": gappy(values, 11)})
    train = np.arange(600)
    encoder = OneHotEncoder(max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False)
    known = frame.iloc[train].dropna()
    expected = encoder.fit(known).transform(frame.fillna("new"))
    found, missing = encoded(frame, train), frame["c"].isna().to_numpy()
    np.testing.assert_array_equal(found[:, -1], missing)
    # scikit-learn breaks ties in frequency in another way: as many categories, as many samples in each
    assert found.shape[1] == expected.shape[1] + 1
    np.testing.assert_array_equal(
        np.sort(found[train, :-2].sum(0)), np.sort(expected[train][~missing[train]].sum(0)[:-1])
    )
    assert found[600:, -2].tolist() == (~missing[600:]).tolist()
    assert (found.sum(1) == 1).all()


def test_numbers_that_are_written_with_commas_are_numbers():
    numbers = np.array([2347.06, -12, 1_000_000, 0.5, 999, 1e3] * 15)
    frame = pd.DataFrame({"a": [f"{number:,}" for number in numbers]})
    expected = StandardScaler().fit(numbers[TRAIN, None]).transform(numbers[:, None])
    np.testing.assert_allclose(encoded(frame), expected, atol=1e-5)


@pytest.mark.parametrize("written", [True, False])
def test_dates_are_days_and_the_parts_that_vary(written):
    dates = pd.Series(pd.date_range("2023-11-05", periods=N, freq="37h"))
    frame = pd.DataFrame({"when": dates.dt.strftime("%Y-%m-%d %H:%M") if written else dates})
    frame.loc[3, "when"] = None
    days = (dates - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    parts = [days, *(getattr(dates.dt, part) for part in ("year", "month", "day", "day_of_week", "hour"))]
    table = np.stack([part.to_numpy(float) for part in parts], 1)
    known = np.delete(TRAIN, 3)
    expected = StandardScaler().fit(table[known]).transform(table)
    expected[3] = 0
    np.testing.assert_allclose(encoded(frame), np.c_[expected, np.arange(N) == 3], atol=1e-4)


def test_what_tells_nothing_is_left_out_and_said():
    frame = pd.DataFrame(
        {
            "same": 1,
            "empty": np.nan,
            "name": [f"person {i}" for i in range(N)],
            "size": gappy(np.arange(N, dtype=float), 9, np.nan),
            "flag": np.arange(N) % 2 == 0,
            "price": [f"{1000 + i:,}" for i in range(N)],
            "kind": gappy(["a", "b", "c"] * 30, 8),
            "when": pd.date_range("2024-01-01", periods=N),
        }
    )
    encoder = TableEncoder.fit(frame, rows=TRAIN)
    assert [name for name, _ in encoder.dropped] == ["same", "empty", "name"]
    assert encoder.describe() == [
        "numbers: size (gaps filled), flag, price (written as texts)",
        "dates, in parts: when",
        "categories, one-hot: kind (3 values, gaps marked)",
        "left out: same (always the same value); empty (no value); name (a different text in every row, like a name; "
        "free text has to be named in `text`)",
    ]
    with pytest.raises(InputError, match=r"no column to learn from .same: always"):
        TableEncoder.fit(frame[["same"]])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("size", "big", "'size' is 'big' in data row 5: it held numbers"),
        ("when", "soon", "'when' is 'soon' in data row 5"),
    ],
)
def test_new_rows_of_another_kind_are_refused(column, value, message):
    frame = pd.DataFrame(
        {"size": np.arange(N, dtype=float), "when": pd.date_range("2024-01-01", periods=N).astype(str)}
    )
    encoder = TableEncoder.fit(frame)
    changed = frame.astype(object)
    changed.loc[4, column] = value
    with pytest.raises(InputError, match=message):
        encoder.encode(changed)


def test_a_table_with_gaps_is_loaded(tmp_path):
    frame = pd.DataFrame({"a": gappy(np.arange(N, dtype=float), 5, np.nan), "y": ["p", "q", "q"] * 30})
    frame.to_csv(tmp_path / "table.csv", index=False)
    problem = load(str(tmp_path / "table.csv"), DataOptions(target="y"))
    assert problem.train.x.shape[1] == 2 and problem.train.x.isfinite().all()


def test_nullable_columns_of_pandas_are_read_as_the_others():
    plain = pd.DataFrame({"flag": gappy(np.arange(N) % 2.0, 9, np.nan), "count": gappy(np.arange(N) / 1, 7, np.nan)})
    nullable = plain.astype({"flag": "boolean", "count": "Int64"})
    np.testing.assert_array_equal(encoded(nullable), encoded(plain))
