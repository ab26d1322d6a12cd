"""Waterbirds and CelebA, made up in folders of the published form: the table that is written, and that it is read."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from autobalance.cli import GroupOptions
from autobalance.data import DataOptions, load
from experiments.group_images import main

GROUP = {"target": "label", "group": ("group",), "split": "split", "image_size": 8}


def images(folder: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((10, 10, 3), place, dtype=np.uint8)).save(folder / name)


@pytest.fixture
def waterbirds(tmp_path: Path) -> Path:
    rows = [(y, place, split) for split in range(3) for y in range(2) for place in range(2) for _ in range(3)]
    names = [f"{i:03d}.Bird/Bird_{i:04d}.jpg" for i in range(len(rows))]
    table = pd.DataFrame(rows, columns=["y", "place", "split"]).assign(
        img_filename=names, img_id=range(len(rows)), place_filename="/b/beach/1.jpg"
    )
    images(tmp_path, names)
    table.to_csv(tmp_path / "metadata.csv", index=False)
    return tmp_path


def test_waterbirds(waterbirds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["waterbirds", str(waterbirds)]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    told = shlex.split(said)[3:]
    assert told[told.index("--split") + 1] == "split" and told[told.index("--group") + 1] == "group"
    assert {name.replace("-", "_") for name in (word[2:] for word in told if word.startswith("--"))} <= {
        *vars(GroupOptions()), "objective"
    }  # fmt: skip
    problem = load(str(waterbirds / "groups.csv"), DataOptions(**GROUP, images=str(waterbirds)))
    assert problem.class_names == ("landbird", "waterbird") and problem.group_names == ("land", "water")
    for part in (problem.train, problem.validation, problem.test):
        assert torch.equal(part.cell_counts(2, 2), torch.full((2, 2), 3))
    given = pd.read_csv(waterbirds / "metadata.csv")
    test = given[given["split"] == 2]
    assert problem.test.y.tolist() == test["y"].tolist() and problem.test.group.tolist() == test["place"].tolist()


@pytest.mark.parametrize("suffix", ["txt", "csv"])
def test_celeba(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [(a, b, part) for part in range(3) for a in (-1, 1) for b in (-1, 1) for _ in range(2)]
    names = [f"{i + 1:06d}.jpg" for i in range(len(cells))]
    images(tmp_path / "img_align_celeba", names)
    attributes = pd.DataFrame({"Blond_Hair": [c[0] for c in cells], "Male": [c[1] for c in cells]}, index=names)
    parts = pd.Series([c[2] for c in cells], index=names, name="partition")
    if suffix == "csv":
        attributes.rename_axis("image_id").to_csv(tmp_path / "list_attr_celeba.csv")
        parts.rename_axis("image_id").to_csv(tmp_path / "list_eval_partition.csv")
    else:
        lines = [str(len(names)), "Blond_Hair Male ", *(f"{name}  {a:2d} {b:2d}" for name, (a, b, _) in
                                                         zip(names, cells, strict=True))]  # fmt: skip
        (tmp_path / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / "list_eval_partition.txt").write_text("".join(f"{n} {p}\n" for n, p in parts.items()))
    assert main(["celeba", str(tmp_path)]) == 0
    assert "Blond_Hair      not Male" in capsys.readouterr().out
    problem = load(str(tmp_path / "groups.csv"), DataOptions(**GROUP, images=str(tmp_path)))
    assert problem.class_names == ("Blond_Hair", "not Blond_Hair") and problem.group_names == ("Male", "not Male")
    expected = [(int(a < 0), int(b < 0)) for a, b, part in cells if part == 2]
    assert list(zip(problem.test.y.tolist(), problem.test.group.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("celeba", None, "there is no file"),
        ("waterbirds", lambda t: t.drop(columns="place"), "has no column 'place'"),
        ("waterbirds", lambda t: t.assign(split=5), "the split of 000.Bird/Bird_0000.jpg is none that is known"),
    ],
)
def test_what_is_wrong_is_said(waterbirds, name, change, words, capsys) -> None:
    if change is not None:
        path = waterbirds / "metadata.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)
    assert main([name, str(waterbirds)]) == 2
    assert words in capsys.readouterr().err
