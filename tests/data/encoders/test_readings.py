"""Columns that the user says how to read: against the same values written as what they are meant to be."""

import json

import numpy as np
import pandas as pd
import pytest

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data._options import READINGS
from autobalance.data.encoders import Kept, TableEncoder, encoder_of
from autobalance.data.encoders._columns import COLUMNS

N, TRAIN = 90, np.arange(60)


def frame():
    dates = pd.date_range("2023-11-05", periods=N)
    return pd.DataFrame(
        {
            "size": np.random.default_rng(0).normal(size=N),
            "code": np.r_[np.nan, np.arange(1, N) % 5],
            "day": dates.strftime("%Y%m%d").astype(int),
            "count": [f"{1000 + i * i:,}" for i in range(N)],
            "note": [f"red{i % 7} and blue{i % 5}" for i in range(N)],
        }
    )


def encoded(table, rows=TRAIN, **readings):
    encoder = TableEncoder.fit(table, rows=rows, readings=readings or None)
    kept = encoder.kept()
    again = encoder_of(Kept(json.loads(json.dumps(kept.settings)), kept.tensors))
    return again.encode(table).numpy(), again


def test_the_words_are_the_kinds_of_columns_and_two_more():
    assert set(READINGS) == {*COLUMNS, "text", "drop"}


def test_numbers_as_categories_and_dates_are_as_if_they_were_written_so():
    table = frame()
    written = table.assign(
        code=table["code"].map(lambda code: f"kind {code:.0f}", na_action="ignore").astype(object),
        day=pd.to_datetime(table["day"].astype(str)),
    )
    written.loc[0, "code"] = None
    found, encoder = encoded(table, code="category", day="date")
    kinds = {column.name: column for column in encoder.columns}
    assert kinds["code"].values == ("0", "1", "2", "3", "4") and kinds["code"].gaps
    np.testing.assert_array_equal(found, encoded(written)[0])
    whole = table.iloc[1:].astype({"code": int})  # new rows without gaps: 3, not 3.0
    np.testing.assert_array_equal(encoder.encode(whole).numpy(), found[1:])


def test_texts_and_what_is_dropped_are_as_if_the_options_named_them():
    table = frame()
    found, encoder = encoded(table, note="text", size="drop", count="number")
    expected = TableEncoder.fit(table.drop(columns="size"), ["note"], TRAIN).encode(table).numpy()
    np.testing.assert_array_equal(found, expected)
    assert [read[:3] for read in encoder.columns_read()] == [
        ("note", "free text", len(encoder.mean)),
        ("code", "number", 2),
        ("day", "number", 1),
        ("count", "number", 1),
        ("size", "left out", 0),
    ]
    assert sum(read.inputs for read in encoder.columns_read()) == found.shape[1]


def test_each_kind_tells_its_width():
    for readings in ({}, {"code": "category", "day": "date"}, {"note": "category"}):
        found, encoder = encoded(frame(), **readings)
        assert sum(read.inputs for read in encoder.columns_read()) == found.shape[1]


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        ({"sise": "number"}, "'sise' is none of the inputs, .*; do you mean size?"),
        ({"note": "number"}, "'note' is 'red0 and blue0' in data row 1, and in 89 rows more, which is no number"),
        ({"note": "date"}, "'note' is .* no date, as ISO 8601"),
        ({"size": "category"}, "'size' has another value in every row"),
        ({"note": "text", "count": "text"}, "one column can be free text, not note and count"),
    ],
)
def test_what_cannot_be_read_so_is_refused(readings, message):
    table = frame()
    with pytest.raises(InputError, match=message):
        TableEncoder.fit(table, rows=TRAIN, readings=readings)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"size": "numbers"}, "reads size as 'numbers': it must be one of .*; do you mean number?"),
        ({False: "number"}, "the column False, which is no text"),
        (["size"], "it should have lines"),
        ({}, "it should have lines"),
    ],
)
def test_a_file_of_columns_that_says_nothing_sensible_is_refused(columns, message):
    with pytest.raises(InputError, match=message):
        DataOptions(columns=columns)


def test_the_target_is_no_input_and_arrays_have_no_columns(tmp_path):
    frame().assign(y=["p", "q", "q"] * 30).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(InputError, match="'y' is none of the inputs"):
        load(str(tmp_path / "table.csv"), DataOptions(target="y", columns={"y": "category"}))
    with pytest.raises(InputError, match=r"`columns` \(of y\) has no effect on digits"):
        load("digits", DataOptions(columns={"y": "category"}))
    options = DataOptions(target="y", text=("note",), columns={"note": "text"})
    with pytest.raises(InputError, match="'note' is named in `text` already"):
        load(str(tmp_path / "table.csv"), options)
