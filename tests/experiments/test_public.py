"""Public tables as files."""

import csv

import pandas as pd
import pytest

from autobalance.common import InputError
from experiments.public import main, names, rows


def test_a_table_is_written_as_it_stands(tmp_path, capsys):
    assert main(["contraceptive", "--out", str(tmp_path)]) == 0
    path = tmp_path / "contraceptive.csv"
    assert capsys.readouterr().out == f"{path}: 1473 rows, what is to be predicted in the column Contraceptive_method\n"
    table = pd.read_csv(path)
    assert table.shape == (1473, 10) and table["Contraceptive_method"].value_counts().to_dict() == {
        1: 629,
        3: 511,
        2: 333,
    }
    assert table.iloc[0].tolist() == [24, 2, 3, 3, 1, 1, 2, 3, 0, 1]


def test_classes_have_their_names():
    table = rows("kr-vs-k")
    assert table[0][-1] == "Game" and table[1] == ["a", "1", "b", "3", "c", "2", "draw"]
    assert {row[-1] for row in rows("nursery")[1:]} == {
        "recommend",
        "very_recom",
        "spec_prior",
        "priority",
        "not_recom",
    }


def test_what_is_not_there(capsys):
    with pytest.raises(InputError, match="there is no table 'nothing'; there are abalone"):
        rows("nothing")
    assert main(["nothing"]) == 2 and "error: there is no table" in capsys.readouterr().err
    assert main([]) == 0 and capsys.readouterr().out.split() == names() and "car" in names()


@pytest.mark.parametrize("name", ["car", "cleveland", "led7digit", "new_thyroid2", "wisconsin"])
def test_every_row_is_as_long_as_the_head(name, tmp_path):
    main([name, "--out", str(tmp_path)])
    with open(tmp_path / f"{name}.csv", newline="") as file:
        assert len({len(row) for row in csv.reader(file)}) == 1


def test_tables_with_numbers_to_predict_are_there_too():
    table = rows("ele_1")
    assert table[0] == ["Inhabitants", "Distance", "Length"] and len(table) == 496 and float(table[1][-1]) > 0
    assert {"laser", "quake", "wizmir"} <= set(names())
