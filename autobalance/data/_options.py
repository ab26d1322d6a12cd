"""What the caller of `load` chooses beside the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from autobalance.common import InputError, nearest

TASKS = ("classification", "regression")
#: How a column of a table can be read.
READINGS = ("number", "date", "category", "text", "drop")
#: Share of the training samples that becomes validation where nothing else is said.
VALIDATION_SHARE = 0.2

#: What each option is for, said where it has no effect.
_PURPOSE = {
    "target": "it names the column of a table that is predicted",
    "text": "it names columns of a table whose rows are the inputs",
    "drop": "it names columns of a table whose rows are the inputs",
    "columns": "it says how the columns of a table are read",
    "na_values": "it says which texts in a table stand for a missing value",
    "split": "it names the column of a table that says which rows are for training and which for testing",
    "group": "it names columns of a table",
    "group_as_feature": "it is about columns of a table",
    "images": "it is for lists of images",
    "image_size": "it is for images in files",
    "backbone": "it is for images in files",
    "skip_unreadable": "it is for images in files",
    "imbalance": "it thins out images and arrays; a table or function keeps its own frequencies",
    "imbalance_type": "it is the shape of a long tail of classes",
    "ground": "it puts images, read into memory, on grounds that mislead",
    "ground_ratio": "it says how often the `ground` of an image is not its class's own",
    "validation": "there are validation samples already",
    "bins": "there are bins already",
}


@dataclass(frozen=True)
class DataOptions:
    """What to make of a data source. An option that has no effect on the source is an error, never ignored.

    Args:
        target: for tables: the column that holds the class, or the number to predict.
        text: for tables: a column of free text, or two columns whose texts are compared, see `TextEncoder`.
        drop: for tables: columns to leave out.
        columns: for tables: for columns by name how they are read, one of `READINGS`, where their values do not say it
            right.
        na_values: for .csv and .tsv tables: the texts that stand for a missing value, such as ``("?", "")``. None:
            those of pandas, among others "", "NA", "None" and "null", which can then be no class.
        split: for tables: the column that says whether a row is for train, val or test.
        group: for tables: the columns that say which group a row belongs to, numbers with cuts, such as ``age:25``; see
            `groups_of`. Other sources bring their groups along.
        group_as_feature: for tables: whether the model sees these columns; by default they are hidden from it.
        images: the folder that the paths in lists of images start from. With it a table is a list of images, in its
            column ``path``.
        backbone: the name of a network that was trained on ImageNet: images in files are read as its recipe does, 224
            pixels unless ``image_size`` says so, the centre cut out for classes, and stay on disk.
        image_size: side in pixels of images that are read from files.
        skip_unreadable: whether images in files that cannot be read are left out; by default they are an error.
        imbalance: thins out the training samples until the largest class has this many times the samples of the
            smallest. None: 10 for digits, 100 for cifar10 and cifar100, and otherwise the data as they are.
        imbalance_type: "exp" or "step", see `long_tail_counts`.
        ground: for images: ``negative``, ``frame:G`` or ``colour:G``, grounds that become the groups, see `Grounds`.
        ground_ratio: training samples on their class's own ground over those on others.
        validation: share of the training samples that becomes validation. None: a fifth, or the validation samples
            that the source brings.
        task: "classification" or "regression", whose targets are numbers.
        bins: for regression: how many bins of equal width the targets are sorted into, see `make_bin_edges`. None: as
            the targets suggest.
        seed: draws the long tail and the splits.

    Raises:
        InputError: a value that cannot be, or an option without effect beside the others.
    """

    target: str | None = None
    text: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    na_values: tuple[str, ...] | None = None
    split: str | None = None
    group: tuple[str, ...] = ()
    group_as_feature: bool = False
    images: str | None = None
    backbone: str | None = None
    image_size: int | None = None
    skip_unreadable: bool = False
    imbalance: float | None = None
    imbalance_type: str = "exp"
    ground: str | None = None
    ground_ratio: float = 10.0
    validation: float | None = None
    task: str = "classification"
    bins: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"no task is called {self.task!r}; there are {' and '.join(TASKS)}")
        for name in ("text", "drop", "group"):
            if isinstance(value := getattr(self, name), str):
                raise InputError(f"`{name}` is {value!r}: it must be a tuple of column names")
            object.__setattr__(self, name, tuple(value))
        check_readings(self.columns)
        if self.na_values is not None:
            if isinstance(self.na_values, str) or not all(isinstance(text, str) for text in self.na_values):
                raise InputError(f"`na_values` is {self.na_values!r}: it must be a tuple of texts")
            object.__setattr__(self, "na_values", tuple(self.na_values))
        if self.validation is not None and not 0 < self.validation < 1:
            raise InputError(
                f"`validation` is {self.validation}: it is a share of the training samples, between 0 and 1"
            )
        if self.regression:
            self.refuse(["group", "ground"], "a regression", "losses for groups are for classes")
            self.refuse(["imbalance", "imbalance_type"], "a regression", "its targets have a density of their own")
        else:
            self.refuse(["bins"], "a classification", "add `task` regression")
        if self.ground is None:
            self.refuse(["ground_ratio"], "samples without `ground`", "it is the share of images on other grounds")
        if self.group_as_feature and not self.group:
            raise InputError("`group_as_feature` has no effect without `group`, which names columns of a table")

    @property
    def regression(self) -> bool:
        return self.task == "regression"

    @property
    def validation_share(self) -> float:
        """Share of the training samples that becomes validation where the source brings none."""
        return VALIDATION_SHARE if self.validation is None else self.validation

    def refuse(self, names: Iterable[str], source: str, why: str | None = None) -> None:
        """Raises an InputError for the first of the options called ``names`` that is not as it is by default."""
        default = {field.name: field.default for field in fields(self)}
        for name in names:
            if (value := getattr(self, name)) != default[name]:
                reason = why or f"leave it out, {_PURPOSE[name]}"
                raise InputError(f"`{name}`{_shown(value)} has no effect on {source}: {reason}")


def check_readings(columns: Any) -> None:
    """Raises an InputError for anything but None or names of `READINGS` by the names of columns."""
    if columns is None:
        return
    if not isinstance(columns, Mapping) or not columns:
        raise InputError(f"`columns` holds {columns!r:.60}: it should have lines such as 'postcode: category'")
    for name, reading in columns.items():
        if not isinstance(name, str):
            raise InputError(f"`columns` has the column {name!r}, which is no text: put its name in quotes")
        if reading not in READINGS:
            close = nearest(str(reading), READINGS)
            raise InputError(f"`columns` reads {name} as {reading!r}: it must be one of {', '.join(READINGS)}{close}")


def _shown(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, Mapping):
        return f" (of {', '.join(value)})"
    return f" {value:g}" if isinstance(value, float) else f" {','.join(value) if isinstance(value, tuple) else value}"
