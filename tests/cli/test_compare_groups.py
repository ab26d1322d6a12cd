"""Comparisons over groups: methods for groups, and figures over cells, against plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from make_comparison import compare

from autobalance.cli._compare import comparison_of
from autobalance.cli._compare_options import CompareOptions
from autobalance.compare import main
from autobalance.losses import GroupDRO, load_loss, save_loss
from autobalance.losses.named import fixed_point

pytestmark = pytest.mark.usefixtures("no_figure")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes in two groups of different sizes, test samples balanced."""
    rng = np.random.default_rng(0)
    parts: dict[str, Any] = {}
    for part, sizes in {"train": (120, 40, 30, 12), "test": (40, 40, 40, 40)}.items():
        y, group = (np.repeat(values, sizes) for values in ([0, 0, 1, 1], [0, 1, 0, 1]))
        x = rng.normal(0, 1, (len(y), 3)) + np.stack([y, group, y * (1 - 2 * group)], 1)
        parts |= {f"x_{part}": x.astype(np.float32), f"y_{part}": y, f"group_{part}": group}
    path = tmp_path_factory.mktemp("groups") / "groups.npz"
    np.savez(path, **parts)
    return path


def test_the_table_of_groups(samples: Path, tmp_path: Path) -> None:
    losses = "ce,la,group-la+drw,group-dro,la+drw,la-posthoc"
    arguments = ["--data", str(samples), "--losses", losses, "--include-search", "--epochs", "10", "--batch-size", "32"]
    results = compare(tmp_path / "run", *arguments, "--seeds", "2", "--tune", "4", "--tune-folds", "2")
    assert list(results["methods"]) == [*losses.split(","), "autobalance"]
    assert results["class_names"] == ["0, 0", "0, 1", "1, 0", "1, 1"]
    assert results["class_counts"] == [120, 40, 30, 12]
    table = pd.read_csv(tmp_path / "run" / "table.csv").set_index("method")
    for name, content in results["methods"].items():
        cells = np.array([run["cell_error"] for run in content["runs"]]).reshape(2, -1)  # (seeds, K G)
        assert table.loc[name, "group_balanced_error_mean"] == pytest.approx(cells.mean())
        assert table.loc[name, "worst_group_error_mean"] == pytest.approx(cells.max(1).mean())
        deo = np.abs(cells[:, 0] - cells[:, 1]) + np.abs(cells[:, 2] - cells[:, 3])
        assert table.loc[name, "deo_mean"] == pytest.approx(deo.mean())
        assert table.loc[name, "few_mean"] == pytest.approx(cells[:, 3].mean())
    text = (tmp_path / "run" / "table.md").read_text()
    assert "| worst-group error" in text and "| DEO" in text and "## Error by cell" in text
    assert results["best"] == table["group_balanced_error_mean"].idxmin()
    tried = results["methods"]["group-dro"]["tuning"]
    assert tried["tuned"] == ["eta", "adjustment"] and len(tried["trials"]) == 2


def test_all_has_the_losses_for_groups(samples: Path) -> None:
    comparison = comparison_of(CompareOptions(data=str(samples), losses=("all",), model="mlp"))
    methods = {method.name: method for method in comparison.methods}
    assert {"ce", "crt", "group-weighted", "group-la", "group-vs", "group-dro"} <= set(methods)
    conditions = comparison.open()
    losses = {
        name: method.loss_of(
            method.training(conditions.setting, conditions.setting.problem.train, 0, conditions.recipe)
        )
        for name, method in methods.items()
    }
    assert isinstance(losses["group-dro"], GroupDRO)
    assert losses["group-vs"].num_groups == 2


def test_a_searched_loss_of_other_groups_is_refused(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_loss(fixed_point("group-la", cell_counts=[[9, 5, 2], [4, 3, 2]]), tmp_path / "loss.json")  # type: ignore[arg-type]
    assert load_loss(tmp_path / "loss.json").num_groups == 3
    arguments = ["--searched", str(tmp_path / "loss.json"), "--out", str(tmp_path / "run")]
    assert main(["--data", str(samples), *arguments]) == 2
    assert "a loss for 3 groups, the data have 2" in capsys.readouterr().err
    assert main(["--losses", "group-dro", "--out", str(tmp_path / "run")]) == 2
    assert "the samples have none" in capsys.readouterr().err
