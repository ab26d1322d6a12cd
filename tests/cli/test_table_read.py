"""The search says how it read a table, and warns of classes that look like one."""

import json

import numpy as np
import pandas as pd
import pytest
from run_case import OPTIONS, search

pytestmark = pytest.mark.usefixtures("no_page")


def test_it_says_how_the_columns_were_read_and_which_classes_look_alike(tmp_path, capsys):
    rng = np.random.default_rng(0)
    label = np.repeat(["yes", "Yes ", "no"], [90, 30, 20])
    frame = pd.DataFrame({"size": rng.normal(size=140), "same": 1, "name": [f"n{i}" for i in range(140)]})
    frame.loc[::5, "size"] = np.nan
    frame.assign(label=label).to_csv(tmp_path / "table.csv", index=False)
    options = [*OPTIONS, "--target", "label", "--seeds", "1"]
    assert search(tmp_path / "table.csv", tmp_path / "run", options=options) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "numbers: size (gaps filled)"
    assert lines[2].startswith("left out: same (always the same value); name (a different text in every row")
    assert lines[2].endswith("named in --text)")
    assert lines[3].startswith("warning: 'Yes ' and 'yes' differ in case or spaces alone")


def test_a_file_says_how_columns_are_read_and_copies_are_counted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=140), "code": rng.integers(0, 4, 140)})
    frame["label"] = np.repeat(["no", "yes"], [100, 40])
    frame = pd.concat([frame, frame.iloc[60:110]])
    frame.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "columns.yaml").write_text("code: category\n")
    options = [*OPTIONS, "--target", "label", "--seeds", "1", "--columns", str(tmp_path / "columns.yaml")]
    assert search(tmp_path / "table.csv", tmp_path / "run", options=options) == 0
    said = capsys.readouterr().err
    assert "categories, one-hot: code (4 values)" in said
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [column["reading"] for column in result["columns"]] == ["number", "category"]
    assert result["options"]["columns"] == str(tmp_path / "columns.yaml") and result["recipe"]["batch_size"] == 16
    test = result["repeats"]["test"]
    assert test["other_target"] == 0 < test["samples"]
    assert f"warning: {test['samples']} test samples have the inputs of a sample that is trained on: if" in said
    (tmp_path / "columns.yaml").write_text("code: categories\n")
    assert search(tmp_path / "table.csv", tmp_path / "other", options=options) == 2
    assert "error: --columns reads code as 'categories'" in capsys.readouterr().err
