"""The report: its sentence, its numbers, its page."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from make_run import result, write_run
from rich.console import Console

from autobalance.common import InputError
from autobalance.study.report import _theme as theme
from autobalance.study.report import results_table, write_report
from autobalance.study.report._run import on_gauge, read_history, read_run
from autobalance.study.report._svg import colours

BETTER = {"searched": [6.9, 7.2, 7.5], "ce": [12.0, 11.0, 13.0], "la": [8.0, 8.2, 8.4]}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Collects text, attributes and tags, and the tags that do not close what is open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(directory: Path, content: dict[str, Any], **keys: Any) -> tuple[str, Reader]:
    text = write_report(write_run(directory, content, **keys)).read_text(encoding="utf-8")
    return text, Reader(text)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reader]:
    return read_page(tmp_path_factory.mktemp("run"), result(BETTER))


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_page_is_well_formed(page: tuple[str, Reader]) -> None:
    text, reader = page
    assert text.startswith("<!doctype html>")
    assert reader.faults == []
    assert reader.open == []
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r"url\(#([^)]+)\)", text)) | {
        value[1:] for name, value in reader.attributes if name == "href" and value.startswith("#")
    }
    assert references
    assert references <= set(ids)


def test_page_needs_nothing_from_outside(page: tuple[str, Reader]) -> None:
    text, reader = page
    for name, value in reader.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data"):
            assert value.startswith(("#", "data:")), (name, value)
    assert reader.tags.count("script") == 1 and "<script>\n" in text
    assert not {"link", "iframe", "object", "img"} & set(reader.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_page_holds_the_numbers(page: tuple[str, Reader]) -> None:
    text = plain(page[1].text)
    for shown in (
        "7.20 ± 0.30", "8.20 ± 0.20", "12.00 ± 1.00", "7.45 ± 0.30", "+1.00", "12.5 s", "8.1 s", "1.54 ×", "481 MB",
        "400 training samples", "539 test samples", "10 classes", "replay", "2.14.1", "loss(model(inputs), targets)",
    ):  # fmt: skip
        assert shown in text, shown
    assert page[0].count("<svg") == 12


def test_page_is_in_the_order_of_importance(page: tuple[str, Reader]) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", page[0])
    assert headings == [
        "Methods on the test set", "The loss that was found", "How the search went", "Test error by class",
        "What it cost", "Use the loss", "Settings",
    ]  # fmt: skip
    assert page[0].index("Balanced error: 12.0") < page[0].index("points below the best") < page[0].index("<table")


def test_same_run_gives_the_same_plot(page: tuple[str, Reader], tmp_path: Path) -> None:
    from autobalance.study.report._plots import class_counts

    assert class_counts(read_run(write_run(tmp_path, result(BETTER)))) in page[0]


def test_two_classes_one_seed_and_little_else(tmp_path: Path) -> None:
    content = result({"searched": [7.0]}, num_classes=2)
    for key in ("cost", "versions", "search", "imbalance_ratio", "num_train"):
        del content[key]
    content["test"]["searched"]["class_error"] = [3.0, None]
    run = write_run(tmp_path, content)
    (tmp_path / "history.jsonl").unlink()
    reader = Reader(write_report(run).read_text(encoding="utf-8"))
    assert reader.faults == []
    assert "no history of this search" in reader.text
    assert "What it cost" not in reader.text
    assert "No fixed loss was run" in reader.text


def test_a_hundred_classes_are_not_labelled_one_by_one(tmp_path: Path) -> None:
    names = [f"kind{k:03}" for k in range(100)]
    text, reader = read_page(tmp_path, result(BETTER, 100, 100.0, names), epochs=3)
    assert reader.faults == []
    figures = re.sub(r'<table class="sortable">.*?</table>|href="data:[^"]*"', "", text, flags=re.S)
    assert sum(name in figures for name in names) <= 6  # the verdict names three that gain and three that pay
    assert "20 of the 100 classes" in reader.text


def test_groups_and_hostile_names(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "a & b", "$x$", "猫"]
    content = result({**BETTER, "<b>x": [9.0, 9.5, 10.0]}, 4, 8.0, names)
    content["test"]["ce"]["worst_group_error"] = 33.25
    content["data"] = "<script>d.csv"
    text, reader = read_page(tmp_path, content, groups=2, epochs=3)
    assert reader.faults == []
    assert text.count("<script") == 1 and "<script>alert" not in text
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text
    for shown in ("$x$", "猫", "a & b", "searched, group 1", "33.25", "group=group", "worst-group error %"):
        assert shown in reader.text, shown


def test_long_names_keep_both_ends() -> None:
    from autobalance.study.report._svg import short

    assert short("class number 17", 14) == "class n…ber 17"
    assert short("class number 1", 14) == "class number 1"


def test_table_for_the_terminal_marks_the_lowest_mean() -> None:
    out = StringIO()
    Console(file=out, width=100).print(results_table(result(BETTER)))
    lines = out.getvalue().splitlines()
    best, fixed, plain_ce = (next(x for x in lines if x.startswith(f"│ {w}")) for w in ("searched", "logit", "cross"))
    assert "* 7.20 ± 0.30" in best
    assert re.search(r"7\.45 ± 0\.30 +│ +3 │", best)
    assert "8.20 ± 0.20 " in fixed
    assert "*" not in fixed + plain_ce


def test_gauge_is_that_of_the_samples() -> None:
    cells, tables = np.array([[20.0, 10.0], [6.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 8.0]])
    np.testing.assert_allclose(on_gauge("l", tables, cells), [[-1, -3], [1, 3]])
    # (20 * 1 + 10 * 2 + 6 * 3 + 4 * 8) / 40 = 2.25
    np.testing.assert_allclose(on_gauge("w", tables, cells), tables / 2.25)
    np.testing.assert_allclose(on_gauge("delta", tables, cells), tables)


def test_named_losses_beside_the_learned_one(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, result(BETTER, 2, 4.0)))
    assert run.counts.tolist() == [124, 31]
    np.testing.assert_allclose(run.references["l"]["la"][:, 0], [np.log(2), -np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(run.references["delta"]["cdt"][:, 0], [1, 4**-0.2], rtol=1e-6)
    np.testing.assert_allclose(run.references["w"]["weighted"][:, 0], [0.625, 2.5], rtol=1e-6)


def test_torn_files(tmp_path: Path) -> None:
    run = write_run(tmp_path, result(BETTER), epochs=3)
    history = run / "history.jsonl"
    whole = history.read_text(encoding="utf-8")
    history.write_text(whole[:-20], encoding="utf-8")
    assert len(read_history(history)) == 2
    history.write_text("{torn\n" + whole, encoding="utf-8")
    with pytest.raises(InputError, match=r"history\.jsonl: line 1 "):
        read_history(history)
    content = json.loads((run / "result.json").read_text(encoding="utf-8"))
    (run / "result.json").write_text('{"data": "dig', encoding="utf-8")
    with pytest.raises(InputError, match=r"result\.json: not a complete JSON file"):
        write_report(run)
    content["class_counts"].append(3)
    (run / "result.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"10 classes, result\.json counts 11"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_importing_the_room_is_cheap() -> None:
    unwanted = "{'matplotlib', 'jinja2', 'rich'}"
    code = f"import sys, autobalance.study.report.__init__; print(sorted({unwanted} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_groups_of_which_only_some_tables_were_searched(tmp_path: Path) -> None:
    content = result(BETTER)
    write_run(tmp_path, content, groups=2, epochs=3)
    path = tmp_path / "loss.json"
    loss = json.loads(path.read_text())
    loss["parameters"]["w"] = [1.0] * 10
    path.write_text(json.dumps(loss))
    content["cell_counts"] = [[count, 2 * count] for count in content["class_counts"]]
    (tmp_path / "result.json").write_text(json.dumps(content))
    assert read_run(tmp_path).parameters["w"].shape == (10, 2)
    assert "additive adjustment" in write_report(tmp_path).read_text()


def test_what_scrolls_can_be_scrolled_by_keyboard_and_has_a_name(tmp_path: Path) -> None:
    page = write_report(write_run(tmp_path, result(BETTER))).read_text(encoding="utf-8")
    scrolling = re.findall(r'<(?:pre|div class="card scroll")[^>]*>', page)
    assert len(scrolling) >= 2
    for tag in scrolling:
        assert 'tabindex="0"' in tag and 'role="region"' in tag and re.search(r'aria-label="\w[^"]+"', tag), tag


def test_a_table_says_how_columns_were_read(tmp_path: Path) -> None:
    columns = [
        {"column": "<b>size", "reading": "number", "inputs": 2, "more": "gaps filled"},
        {"column": "name", "reading": "left out", "inputs": 0, "more": "free text has to be named in `text`"},
    ]
    repeats = {"test": {"samples": 3, "other_target": 1}}
    text, reader = read_page(tmp_path, {**result(BETTER, 3), "columns": columns, "repeats": repeats}, epochs=2)
    assert reader.faults == []
    assert "<tr><td>&lt;b&gt;size</td><td>number</td><td>2</td><td>gaps filled</td></tr>" in text
    assert "named in text" in reader.text
    assert "3 test samples have the inputs of a sample that is trained on (1 with another target)" in reader.text


def test_the_errors_by_class_are_a_table_and_a_file(tmp_path: Path) -> None:
    content = result(BETTER, 3, 8.0, ['a, "b"', "=x", "c"])
    content["test"]["ce"]["class_error"][1] = None
    text, reader = read_page(tmp_path, content, epochs=2)
    assert reader.faults == []
    (address,) = [value for name, value in reader.attributes if value.startswith("data:text/csv")]
    rows = list(csv.reader(StringIO(unquote(address.partition(",")[2]), newline="")))
    assert rows[0] == ["class", "samples", "searched", "la", "ce"]
    assert [row[0] for row in rows[1:]] == ['a, "b"', "=x", "c"]
    for k, row in enumerate(rows[1:]):
        assert int(row[1]) == content["class_counts"][k]
        for method, value in zip(rows[0][2:], row[2:], strict=True):
            expected = content["test"][method]["class_error"][k]
            assert value == "" if expected is None else float(value) == expected
    shown = re.findall(r'<td data-value="([^"]*)">([^<]*)</td>', text)
    first = content["test"]["searched"]["class_error"][0]
    assert (repr(first), f"{first:.2f} ± 0.30") in shown and ("", "– ± 1.00") in shown


def test_every_colour_of_the_figures_has_a_dark_one(page: tuple[str, Reader]) -> None:
    dark = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{\s*(.*)", page[0])
    assert dark is not None
    used = set(re.findall(r"var\(--C(\w+),", page[0]))
    assert len(used) > 8 and used == set(re.findall(r"--C(\w+):#", dark[1]))
    assert not re.search(r'style="[^"]*(?<!,)#[0-9a-f]{6}', page[0])
    background, lowest = "#1e2228", 3.0  # WCAG 2.2, 1.4.11: parts of graphics
    for method in BETTER:
        assert contrast(theme.dark(colours(())[method].lower()), background) > lowest
    assert contrast(theme.dark("#1c2026"), background) > 4.5 and contrast(theme.dark("#4a4f57"), background) > 4.5


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, as WCAG 2.2 defines it."""
    parts = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in (first, second)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return high / low


def test_settings_are_complete(tmp_path: Path) -> None:
    content = {**result(BETTER, 3), "recipe": {"batch_size": 48, "lr": 0.125}, "options": {"drop": ["row", "name"]}}
    _, reader = read_page(tmp_path, content, epochs=2)
    settings = reader.text.partition("Settings")[2]
    assert re.search(r"batch size\s*48", settings) and re.search(r"drop\s*row, name", settings)
