"""One function that opens every source of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from autobalance.common import InputError
from autobalance.data._assemble import DEFAULT_FRACTION, Options
from autobalance.data._samples import Problem
from autobalance.data.sources._digits import load_digits
from autobalance.data.sources._digits_groups import load_digits_groups
from autobalance.data.sources._folder import load_folder
from autobalance.data.sources._image_lists import load_image_table, load_lists
from autobalance.data.sources._npz import load_npz
from autobalance.data.sources._part_files import part_files
from autobalance.data.sources._read_table import SUFFIXES as TABLES
from autobalance.data.sources._regression import load_diabetes, load_regression_table
from autobalance.data.sources._table import load_table
from autobalance.data.sources._tiny_imagenet import is_tiny_imagenet, load_tiny_imagenet
from autobalance.data.sources._torchvision import load_cifar
from autobalance.data.sources._user import load_user

_CLASSES: dict[str, Callable[[Options], Problem]] = {
    "digits": load_digits,
    "digits-groups": load_digits_groups,
    "cifar10": partial(load_cifar, "cifar10"),
    "cifar100": partial(load_cifar, "cifar100"),
}
_NUMBERS: dict[str, Callable[[Options], Problem]] = {"diabetes": load_diabetes}

#: The data sources that have a name.
SOURCES = (*_CLASSES, *_NUMBERS)


def load(
    source: str,
    *,
    target: str | None = None,
    imbalance: float | None = None,
    imbalance_type: str = "exp",
    validation_fraction: float = DEFAULT_FRACTION,
    seed: int = 0,
    task: str = "classification",
    bins: int | None = None,
    text: Sequence[str] = (),
    drop: Sequence[str] = (),
    split: str | None = None,
    group: str | None = None,
    group_as_feature: bool = False,
    images: str | None = None,
    image_size: int | None = None,
) -> Problem:
    """Open a source of data, split into training, validation and test samples that are disjoint and stratified.

    Where the source has validation samples they are used, otherwise a fraction of the training samples is split off.
    Everything random follows ``seed`` alone and leaves the global generators untouched. What standardises the inputs is
    measured on the training split alone.

    Args:
        source: a name (``SOURCES``); a .npz file with x_train, y_train, x_test, y_test; a .csv, .tsv or .parquet table,
            or a folder of such tables, one a part; a folder of images, one sub-folder a class; a folder of lists of
            images, one a part (text or iNaturalist's annotations); or ``package.module:function``.
        target: the column of a table that holds the class, or the number to predict.
        imbalance: thins the training samples out until the largest class has this many times the samples of the
            smallest. By default 10 for digits, 100 for cifar10 and cifar100, and otherwise the data as they are.
        imbalance_type: "exp" or "step", see ``long_tail_counts``.
        validation_fraction: share of the training samples that become validation.
        seed: draws the long tail and the splits.
        task: "classification" or "regression", whose targets are numbers.
        bins: for regression, how many bins of equal width the targets are sorted into, see ``make_bin_edges``.
        text: for tables: a column of free text, or two columns whose texts are to be compared, see ``encode_texts``.
        drop: for tables: columns to leave out.
        split: for tables: the column that says whether a row is for train, val or test.
        group: for tables: the column that says which group a row belongs to; numbers with cuts, ``age:25``; several
            with commas between. Other sources bring their groups along.
        group_as_feature: for tables: whether the model sees these columns; by default they are hidden from it.
        images: the folder that the paths of lists of images start from. With it a table is a list of images, in its
            column ``path``.
        image_size: side in pixels of images that are read from files.

    Returns:
        The problem, its classes numbered 0..K-1, or its targets as they are, with ``bin_edges``.

    Raises:
        InputError: data that cannot be used, or an option that has no effect on this source; with what helps.
    """
    options = Options(
        target=target,
        imbalance=imbalance,
        imbalance_type=imbalance_type,
        validation_fraction=validation_fraction,
        seed=seed,
        task=task,
        bins=bins,
        text=tuple(text),
        drop=tuple(drop),
        split=split,
        group=group,
        group_as_feature=group_as_feature,
        images=images,
        image_size=image_size,
    )
    if group is not None and options.regression:
        raise InputError(f"--group {group} has no effect with --task regression: losses for groups are for classes")
    if task not in ("classification", "regression"):
        raise InputError(f"no task is called {task!r}; there are classification and regression")
    if bins is not None and not options.regression:
        raise InputError(f"--bins {bins} has no effect without --task regression")
    if source in SOURCES or source.endswith(".npz"):
        options.refuse_files(source)
    if source in SOURCES:
        return _load_named(source, options)
    path = Path(source)
    if path.is_dir():
        return _load_folder(path, options)
    if source.endswith((".npz", *TABLES)):
        if not path.is_file():
            raise InputError(f"there is no file {source}")
        return load_npz(path, options) if source.endswith(".npz") else _load_table(path, options)
    if ":" in source:
        options.refuse_files(source)
        return load_user(source, options)
    raise InputError(
        f"the data source {source!r} is unknown: give {', '.join(SOURCES)}, a file that ends in "
        f"{', '.join(('.npz', *TABLES))}, a folder, or package.module:function"
    )


def _load_named(source: str, options: Options) -> Problem:
    if options.regression and source in _CLASSES:
        raise InputError(f"{source} has classes as targets, not numbers: leave --task regression out")
    if not options.regression and source in _NUMBERS:
        raise InputError(f"{source} has numbers as targets, not classes: add --task regression")
    return {**_CLASSES, **_NUMBERS}[source](options)


def _load_table(path: Path, options: Options) -> Problem:
    if options.images is not None:
        return load_image_table(path, options)
    options.refuse_files(f"{path}, a table; without --images it lists no images")
    return load_regression_table(path, options) if options.regression else load_table(path, options)


def _load_folder(path: Path, options: Options) -> Problem:
    if part_files(path, TABLES):
        return _load_table(path, options)
    for suffix in (".txt", ".json"):
        if files := part_files(path, (suffix,)):
            return load_lists(files, options)
    if is_tiny_imagenet(path):
        return load_tiny_imagenet(path, options)
    return load_folder(path, options)
