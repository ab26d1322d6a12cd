"""The comparison of ways for hidden groups: its rivals, choices, page and paths, on a small table."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.groups import _cells, _other_models, _path, _ways
from experiments.groups.__main__ import main
from experiments.groups._cells import OBJECTIVES
from experiments.groups._other_models import balanced, dfr, features_of
from experiments.groups._page import chosen_of
from experiments.groups._path import blend, within
from experiments.suite._case import open_case
from experiments.suite._plan import Entry


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes; the group shifts a column, and a class is rare in one of the groups."""
    folder, generator = tmp_path_factory.mktemp("groups"), np.random.default_rng(0)
    cells = np.repeat(np.arange(4), (100, 50, 40, 80))
    y, group = cells // 2, cells % 2
    x = generator.normal(size=(len(y), 3)) + np.stack([1.6 * y, 1.2 * (y != group), 0 * y], 1)
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{'uv'[g]},{'ny'[k]}" for (a, b, c), g, k in zip(x, group, y, strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,sex,label", *rows]))
    entry = "{name: table, data: table.csv, target: label, group: sex, model: linear, epochs: 4, batch_size: 16}"
    (folder / "plan.yaml").write_text(f"problems:\n  - {entry}\n")
    return folder


@pytest.fixture(scope="module")
def done(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_other_models, "ITERATIONS", 2)
        patch.setattr(_other_models, "BOUNDS", (0.1,))
        patch.setattr(_cells, "OFFSET", ("ce",))
        patch.setattr(_path, "STEPS", 3)
        for name in ("group-weighted", "group-vs", "group-dro", "subsampling", "JTT"):  # no others than the rest
            patch.delitem(_ways.RIVALS, name)
        assert main([*asked(data)]) == 0
        assert main([*asked(data), "--paths"]) == 0
        yield data / "out"


def asked(data):
    return ["--problems", str(data / "plan.yaml"), "--root", str(data), "--splits", "1", "--out", str(data / "out")]


def test_every_rival_has_figures_of_held_out_and_of_judging_samples(done):
    found = json.loads((done / "groups" / "table-0-rivals.json").read_text())["result"]["rivals"]
    assert {"ce", "group-la", "DFR", "exponentiated gradient", "ce + offsets"} == set(found)
    for candidates in found.values():
        for its in candidates.values():
            assert set(its["held"]) == set(its["test"]) == set(OBJECTIVES)
            both = its["test"]["balanced_error"] + its["test"]["deo"]
            assert its["test"]["balanced_error + deo"] == pytest.approx(both)
            assert 0 < its["test"]["worst_group"] <= 100
    offsets = found["ce + offsets"]
    assert offsets["worst_group"]["held"]["worst_group"] < found["ce"]["decay x 1"]["held"]["worst_group"]


def test_the_page_has_every_way_and_is_written_again_without_work(done, data, capsys):
    page = (done / "groups.md").read_text()
    for text in ("## worst_group", "## balanced_error + deo", "best rival", "ours, unguarded", "Cost"):
        assert text in page
    assert main([*asked(data), "--page"]) == 0
    assert (done / "groups.md").read_text() == page and "groups.md" in capsys.readouterr().out


def test_a_path_has_a_picture_and_says_what_to_take_for_a_limit(done):
    text = (done / "paths.md").read_text()
    assert "path-table.svg" in text and "limit on deo" in text and "<svg" in (done / "path-table.svg").read_text()
    points = json.loads((done / "paths" / "table-0.json").read_text())["result"]["points"]
    assert [point["share"] for point in points] == [0, 0.25, 0.5, 0.75, 1]
    assert points[-1]["held"]["deo"] < points[0]["held"]["deo"]


def test_the_point_for_a_limit_is_chosen_by_held_out_samples():
    points = [
        {"share": share, "held": {"balanced_error": error, "deo": gap}}
        for share, error, gap in ((0, 10, 30), (0.5, 12, 20), (0.75, 11, 15), (1, 20, 5))
    ]
    assert [within(points, limit)["share"] for limit in (40, 25, 10, 1)] == [0, 0.75, 1, 1]
    assert blend(0.0) == "1*balanced_error" and blend(0.25) == "0.75*balanced_error + 0.25*deo"


def test_the_candidate_is_that_of_the_best_held_out_samples():
    candidates = {"a": {"held": {"x": 2}}, "b": {"held": {"x": 1}}, "c": {"held": {"x": 0}, "only": "y"}}
    assert chosen_of(candidates, "x") is candidates["b"]


def test_dfr_keeps_the_body_and_learns_a_last_layer_from_as_many_samples_of_each_cell(data):
    entry = Entry("table", str(data / "table.csv"), {"target": "label", "group": "sex", "model": "mlp", "epochs": 2})
    case, judging = open_case(entry, 0, "test")
    cell = np.repeat([0, 1, 2], [5, 3, 9])
    taken = balanced(cell, np.random.default_rng(0))
    assert np.bincount(cell[taken]).tolist() == [3, 3, 3] and len(set(taken.tolist())) == 9
    models = dfr(case, case.everything)
    again = dfr(case, case.everything)
    x = judging.all().x
    for name, model in models.items():
        torch.testing.assert_close(model(x), again[name](x))
    body = case.train([_other_models.named_method("ce")], case.everything)[0]
    assert features_of(body, judging).shape == (len(judging), 128)
    sizes = [float((model(x)[:, 1] - model(x)[:, 0]).std().detach()) for model in models.values()]
    assert sizes[0] > sizes[1] > sizes[2]  # the stronger the penalty, the smaller the logits


def test_a_plan_without_groups_is_refused(data, tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text("problems:\n  - {name: digits, data: digits}\n")
    assert main(["--problems", str(plan), "--out", str(Path(tmp_path / "out"))]) == 2
    assert "no problem with groups" in capsys.readouterr().err
