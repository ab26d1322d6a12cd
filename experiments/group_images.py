"""Tables of the published group problems of images: ``python -m experiments.group_images waterbirds FOLDER``.

Waterbirds (Sagawa et al. 2020): the folder has ``metadata.csv`` with columns img_filename, y, split, place. CelebA (Liu
et al. 2015): ``list_attr_celeba`` and ``list_eval_partition``, as .txt as the authors or as .csv as others publish
them, beside ``img_align_celeba``; the class is Blond_Hair and the group Male, as in Sagawa et al., unless other
attributes are named. Splits 0, 1, 2 are training, validation and test samples. What is written, ``groups.csv`` with
columns path, label, group and split, is what the commands read with --images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autobalance.common import InputError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {0: "train", 1: "val", 2: "test"}
#: Of CelebA: the folder with the images.
ALIGNED = "img_align_celeba"


def waterbirds(folder: Path) -> pd.DataFrame:
    """The table of Waterbirds: land and water birds, on land and on water.

    Raises:
        InputError: a file or column that is missing.
    """
    told = _read(folder / "metadata.csv", ("img_filename", "y", "split", "place"))
    names = {"label": ("landbird", "waterbird"), "group": ("land", "water")}
    columns = {"label": told["y"], "group": told["place"]}
    return _table(told["img_filename"], {name: columns[name].map(dict(enumerate(names[name]))) for name in names},
                  told["split"])  # fmt: skip


def celeba(folder: Path, target: str = "Blond_Hair", group: str = "Male") -> pd.DataFrame:
    """The table of CelebA: faces with and without an attribute, in groups with and without another.

    Raises:
        InputError: a file or attribute that is missing.
    """
    attributes = _read(_either(folder, "list_attr_celeba"), ("image_id", target, group))
    parts = _read(_either(folder, "list_eval_partition"), ("image_id", "partition"))
    told = attributes.merge(parts, on="image_id", validate="one_to_one")
    if len(told) < len(attributes):
        raise InputError(f"{folder}: {len(attributes) - len(told)} images have attributes but no partition")
    columns = {}
    for name, attribute in {"label": target, "group": group}.items():
        columns[name] = told[attribute].map({1: attribute, -1: f"not {attribute}", 0: f"not {attribute}"})
    return _table(ALIGNED + "/" + told["image_id"], columns, told["partition"])


def _either(folder: Path, name: str) -> Path:
    return next((path for path in (folder / f"{name}.csv", folder / f"{name}.txt") if path.is_file()), folder / name)


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of names and numbers: .csv, or .txt as CelebA's authors publish it."""
    import pandas as pd

    if not path.is_file():
        raise InputError(f"there is no file {path}: give the folder of the published files")
    if path.suffix == ".csv":
        table = pd.read_csv(path)
    elif path.name == "list_eval_partition.txt":
        table = pd.read_csv(path, sep=r"\s+", names=["image_id", "partition"])
    else:  # the number of images, then the attributes' names, which have none for the image
        table = pd.read_csv(path, sep=r"\s+", skiprows=1).rename_axis("image_id").reset_index()
    if missing := [name for name in columns if name not in table.columns]:
        raise InputError(f"{path} has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}")
    return table


def _table(paths: pd.Series, columns: dict[str, pd.Series], split: pd.Series) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame({"path": paths, **columns, "split": split.map(SPLITS)})
    for name in table.columns[1:]:
        if (unknown := table[name].isna()).any():
            raise InputError(f"the {name} of {table['path'][unknown].iloc[0]} is none that is known")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes ``groups.csv``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.group_images", description=__doc__.split(":")[0])
    parser.add_argument("name", choices=("waterbirds", "celeba"))
    parser.add_argument("folder", help="of the published files")
    parser.add_argument("--target", default="Blond_Hair", metavar="ATTRIBUTE", help="of CelebA: the class")
    parser.add_argument("--group", default="Male", metavar="ATTRIBUTE", help="of CelebA: the group")
    options = parser.parse_args(arguments)
    folder = Path(options.folder)
    try:
        found = waterbirds(folder) if options.name == "waterbirds" else celeba(folder, options.target, options.group)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found.to_csv(folder / "groups.csv", index=False)
    print(found.groupby(["split", "label", "group"], sort=False).size().to_string())
    print(
        f"python -m autobalance.search --data {folder / 'groups.csv'} --images {folder} --target label --group group "
        "--split split --objective worst_group"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
