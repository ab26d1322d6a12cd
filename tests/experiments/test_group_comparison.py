"""Comparisons over groups: methods for groups, and figures over cells, against plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from make_comparison import compare
from torch.nn import functional as F

from autobalance.data import Problem, Samples
from autobalance.losses import GroupDRO, load_loss, save_loss
from autobalance.losses.named import fixed_point
from autobalance.tasks import task_of
from experiments.compare import main
from experiments.grid import open_grid
from experiments.options import CompareOptions
from experiments.storage import open_storage
from experiments.yardsticks import GroupErrors

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


def test_figures_are_over_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    y, group = torch.randint(2, (60,), generator=generator), torch.randint(3, (60,), generator=generator)
    logits = torch.randn(60, 2, generator=generator)
    nothing = Samples(torch.zeros(60, 1), y, group)
    problem = Problem("made up", nothing, nothing, nothing, ("a", "b"), group_names=("p", "q", "r"))
    found = GroupErrors().figures(problem, logits, nothing, torch.ones(2, 3), (100, 20))
    errors, ces = {}, []
    for k in range(2):
        for g in range(3):
            its = logits[(y == k) & (group == g)]
            errors[k, g] = 100 * (its.argmax(1) != k).float().mean().item()
            ces.append(F.cross_entropy(its.double(), torch.full((len(its),), k)).item())
    assert found["cell_error"] == pytest.approx(list(errors.values()))
    assert GroupErrors().index_names(problem) == ["a, p", "a, q", "a, r", "b, p", "b, q", "b, r"]
    assert found["group_balanced_error"] == pytest.approx(np.mean(list(errors.values())))
    assert found["worst_group_error"] == pytest.approx(max(errors.values()))
    spread = [[errors[k, g] for g in range(3)] for k in range(2)]
    assert found["deo"] == pytest.approx(sum(max(row) - min(row) for row in spread))
    assert found["group_balanced_ce"] == pytest.approx(np.mean(ces))


def test_the_table_of_groups(samples: Path, tmp_path: Path) -> None:
    losses = "ce,la,group-la+drw,group-dro,la+drw,la-posthoc"
    arguments = ["--data", str(samples), "--losses", losses, "--include-search", "--epochs", "10", "--batch-size", "32"]
    results = compare(tmp_path / "run", *arguments, "--seeds", "2", "--tune", "4", "--tune-folds", "2")
    assert list(results["methods"]) == [*losses.split(","), "autobalance"]
    assert results["class_names"] == ["0, 0", "0, 1", "1, 0", "1, 1"]
    assert results["class_counts"] == [120, 40, 30, 12]
    table = pd.read_csv(tmp_path / "run" / "table.csv").set_index("method")
    for name, content in results["methods"].items():
        cells = np.array([run["cell_error"] for run in content["runs"]])  # (seeds, K G)
        assert table.loc[name, "group_balanced_error_mean"] == pytest.approx(cells.mean())
        assert table.loc[name, "worst_group_error_mean"] == pytest.approx(cells.max(1).mean())
        deo = np.abs(cells[:, 0] - cells[:, 1]) + np.abs(cells[:, 2] - cells[:, 3])
        assert table.loc[name, "deo_mean"] == pytest.approx(deo.mean())
        assert table.loc[name, "few_mean"] == pytest.approx(cells[:, 3].mean())
    text = (tmp_path / "run" / "table.md").read_text()
    assert "| worst group error" in text and "| DEO" in text and "## Error by cell" in text
    assert results["best"] == table["group_balanced_error_mean"].idxmin()
    tried = results["methods"]["group-dro"]["tuning"]
    assert tried["tuned"] == ["eta", "adjustment"] and len(tried["trials"]) == 2


def test_all_has_the_losses_for_groups(samples: Path, tmp_path: Path) -> None:
    options = CompareOptions(data=str(samples), losses=("all",), model="mlp")
    grid = open_grid(options, tmp_path, open_storage(None, tmp_path))
    assert {"ce", "crt", "group-weighted", "group-la", "group-vs", "group-dro"} <= {m.name for m in grid.methods}
    goal = task_of(grid.task.problem)
    losses = {method.name: method.loss(goal, torch.ones(2, 2), method.defaults) for method in grid.methods}
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
