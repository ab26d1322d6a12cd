"""Texts that stand for a missing value: pandas' own, or those that are named, and then "NA" and "" are classes."""

import csv

import numpy as np
import pandas as pd
import pytest
from run_case import OPTIONS, read, search

from autobalance import load_loss
from autobalance.cli._config import parse
from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.predict import main

pytestmark = pytest.mark.usefixtures("no_page")
CLASSES = ["", "NA", "None"]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    label = np.repeat(CLASSES, [60, 45, 35])
    size = np.repeat([0.0, 3.0, 6.0], [60, 45, 35]) + rng.normal(size=140)
    frame = pd.DataFrame({"size": size, "colour": rng.choice(["red", "None", "?"], 140), "label": label})
    frame.loc[::7, "size"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False, na_rep="?")
    return tmp_path / "table.csv"


def test_a_class_may_be_called_na_and_prediction_reads_the_same_texts(table):
    options = [*OPTIONS, "--target", "label", "--seeds", "1", "--na-values", "?"]
    assert search(table, table.parent / "run", options=options) == 0
    assert read(table.parent / "run")["class_names"] == CLASSES
    assert list(load_loss(table.parent / "run" / "loss.json").class_names) == CLASSES
    out = table.parent / "predictions.csv"
    assert main(["--run", str(table.parent / "run"), "--data", str(table), "--out", str(out)]) == 0
    with out.open(newline="") as file:
        found = [row["prediction"] for row in csv.DictReader(file)]
    label = np.repeat(CLASSES, [60, 45, 35])
    assert np.mean(np.array(found) == label) > 0.6 and set(found) == set(CLASSES)
    assert search(table, table.parent / "run", "--resume", options=options) == 0, "the same options"


def test_what_is_missing_is_what_was_named(table):
    problem = load(str(table), DataOptions(target="label", na_values=("?",)))
    size, colour = problem.encoder.columns
    assert size.gaps and colour.values == ("None", "red") and colour.gaps
    assert problem.encoder.missing == ("?",) and problem.encoder.made_of(problem.encoder.kept()) == problem.encoder
    with pytest.raises(InputError, match=r"the target 'label' is missing in data row 1 and 139 more.*`na_values`"):
        load(str(table), DataOptions(target="label"))
    with pytest.raises(InputError, match="the target 'label' is missing in data row 61 and 44 more"):
        load(str(table), DataOptions(target="label", na_values=("NA", "?")))


@pytest.mark.parametrize(
    "given, found", [("?,-", ("?", "-")), ('""', ("",)), ("", ()), ('"a,b", c', ("a,b", " c")), ("NA,NA", ("NA",))]
)
def test_the_option_lists_texts(given, found, tmp_path):
    options, _ = parse(["--data", "t.csv", "--na-values", given])
    assert options.na_values == found
    (tmp_path / "config.yaml").write_text(options.to_yaml())
    assert parse(["--config", str(tmp_path / "config.yaml")])[0].na_values == found


def test_it_is_for_tables_of_texts(table):
    with pytest.raises(InputError, match="must be a tuple of texts"):
        DataOptions(na_values="NA")
    with pytest.raises(InputError, match="`na_values` NA has no effect on digits"):
        load("digits", DataOptions(na_values=("NA",)))
    pd.read_csv(table).to_parquet(table.with_suffix(".parquet"))
    with pytest.raises(InputError, match="the file itself says which values are missing"):
        load(str(table.with_suffix(".parquet")), DataOptions(target="label", na_values=("NA",)))
