"""The table's numbers, computed again from the runs in results.json."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from make_comparison import compare
from scipy import stats

from autobalance.common import InputError
from autobalance.compare import main
from autobalance.study.report import markdown_table, p_text, read_published, spread_text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs") / "table"
    return out, compare(out, "--losses", "ce,la,ldam-drw,crt,la-posthoc", "--seeds", "3", "--many", "70")


def test_errors_are_those_of_the_runs(run: tuple[Path, dict[str, Any]]) -> None:
    out, results = run
    counts = np.array(results["class_counts"])
    shots = {"many": counts > 70, "medium": (counts >= 20) & (counts <= 70), "few": counts < 20}
    table = pd.read_csv(out / "table.csv").set_index("method")
    for name, content in results["methods"].items():
        by_class = np.array([r["class_error"] for r in content["runs"]])  # (seeds, K)
        columns = {"balanced_error": by_class.mean(1)} | {shot: by_class[:, its].mean(1) for shot, its in shots.items()}
        for column, values in columns.items():
            assert table.loc[name, f"{column}_mean"] == pytest.approx(values.mean())
            assert table.loc[name, f"{column}_std"] == pytest.approx(values.std(ddof=1))
        # digits has 50 test samples of each class, so the overall error is the balanced one
        assert table.loc[name, "error_mean"] == pytest.approx(by_class.mean())
        assert table.loc[name, "class_9_error_mean"] == pytest.approx(by_class[:, 9].mean())


def test_markdown_says_what_the_csv_says(run: tuple[Path, dict[str, Any]]) -> None:
    out, results = run
    lines = (out / "table.md").read_text().splitlines()
    rows = {cells[1].strip(): cells for line in lines if len(cells := line.split("|")) == 9 + len(results["columns"])}
    numbers = pd.read_csv(io.StringIO((out / "table.csv").read_text())).set_index("method")
    assert set(results["methods"]) < set(rows)
    for name in results["methods"]:
        shown = f"{numbers.loc[name, 'balanced_error_mean']:.2f} ± {numbers.loc[name, 'balanced_error_std']:.2f}"
        assert rows[name][3].strip() == shown
    assert rows["ldam-drw"][2].strip() == "cosine"
    assert rows["la"][2].strip() == "linear"
    assert "n = 3" in "\n".join(lines)


def test_p_values_are_paired_and_corrected(run: tuple[Path, dict[str, Any]]) -> None:
    methods = run[1]["methods"]
    errors = {name: [r["balanced_error"] for r in content["runs"]] for name, content in methods.items()}
    best = min(errors, key=lambda name: sum(errors[name]))
    raw = {}
    for name in set(errors) - {best}:
        difference = np.subtract(errors[name], errors[best])
        t = difference.mean() / (difference.std(ddof=1) / math.sqrt(3))
        raw[name] = 2 * stats.t.sf(abs(t), df=2)
    ordered = sorted(raw, key=raw.__getitem__)
    corrected = {n: max(min(1, (len(raw) - i) * raw[n]) for i, n in enumerate(ordered[: k + 1]))
                 for k, n in enumerate(ordered)}  # fmt: skip
    assert methods[best]["p_against_best"] is None
    for name, p in corrected.items():
        assert methods[name]["p_against_best"] == pytest.approx(p)


def test_every_run_has_a_file_and_there_is_a_figure(run: tuple[Path, dict[str, Any]]) -> None:
    out, results = run
    names = {f"{name}-{seed}.json" for name in results["methods"] for seed in range(3)}
    assert {path.name for path in (out / "runs").iterdir()} == names
    assert "<svg" in (out / "comparison.svg").read_text()


def test_cells_are_padded_and_may_stand_to_the_right() -> None:
    rows = [{"a": "x", "bcde": "1"}, {"a": "yy"}]
    assert markdown_table(rows).splitlines() == ["| a   | bcde |", "|:----|:-----|", "| x   | 1    |", "| yy  |      |"]
    assert markdown_table(rows, right=True).splitlines()[1:3] == ["|:----|-----:|", "| x   |    1 |"]


def test_texts_of_figures() -> None:
    assert spread_text({"mean": 1.25, "std": 0.5}, "{:.1f}".format) == "1.2 ± 0.5"
    assert spread_text({"mean": 1.25, "std": None}, "{:.2f}".format) == "1.25"
    assert spread_text({"mean": None, "std": None}, "{:.2f}".format) == "-"
    assert [p_text(p) for p in (None, 0.0004, 0.04)] == ["-", "< 0.001", "0.040"]


def test_each_published_table_is_a_column(run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, _ = run
    first, second, third = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    first.write_text("title: A\nsource: Paper A.\nerrors: {ce: 30.4, la: 23}\nothers: {OLTR: 53.3}\n")
    second.write_text("source: Paper B.\nerrors: {la: 22.333}\n")
    third.write_text("title: A\nsource: Paper C.\n")
    assert main(["--out", str(out), "--resume", "--published", f"{first}, {second}"]) == 0
    text = (out / "table.md").read_text()
    header, _, *lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")][:7]
    assert [title.strip() for title in header[-2:]] == ["published: A", "published"]
    rows = {line[0].strip(): [cell.strip() for cell in line[-2:]] for line in lines}
    assert (rows["ce"], rows["la"], rows["crt"]) == (["30.40", "-"], ["23.00", "22.33"], ["-", "-"])
    assert "Published: A. Paper A." in text
    assert "no row here: OLTR 53.30." in text
    with pytest.raises(InputError, match="two tables have the title 'published: A'"):
        read_published((str(first), str(third)))
