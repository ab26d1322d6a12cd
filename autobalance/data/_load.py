"""One function that opens every source of data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from autobalance.data._assemble import DEFAULT_FRACTION, Options
from autobalance.data._digits import load_digits
from autobalance.data._folder import load_folder
from autobalance.data._npz import load_npz
from autobalance.data._regression import load_diabetes, load_regression_table
from autobalance.data._samples import Problem
from autobalance.data._table import load_table
from autobalance.data._torchvision import load_cifar
from autobalance.data._user import load_user
from autobalance.errors import InputError

_NAMED: dict[str, Callable[[Options], Problem]] = {
    "digits": load_digits,
    "cifar10": partial(load_cifar, "cifar10"),
    "cifar100": partial(load_cifar, "cifar100"),
}
_FILES: dict[str, Callable[[Path, Options], Problem]] = {
    ".npz": load_npz,
    ".csv": load_table,
    ".csv.gz": load_table,
    ".parquet": load_table,
}

_NAMED_REGRESSION: dict[str, Callable[[Options], Problem]] = {"diabetes": load_diabetes}
_TABLES = tuple(suffix for suffix, load_file in _FILES.items() if load_file is load_table)

#: The data sources that have a name.
SOURCES = (*_NAMED, *_NAMED_REGRESSION)


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
) -> Problem:
    """Open a source of data, split into training, validation and test samples that are disjoint and stratified.

    Where the source has validation samples they are used, otherwise a fraction of the training samples is split off.
    Everything random follows ``seed`` alone and leaves the global generators untouched. What standardises the inputs is
    measured on the training split alone.

    Args:
        source: a name (``SOURCES``); a .npz file with x_train, y_train, x_test, y_test; a .csv, .csv.gz or .parquet
            table; a folder of images, one sub-folder a class; or ``package.module:function``.
        target: the column of a table that holds the class, or the number to predict.
        imbalance: thins the training samples out until the largest class has this many times the samples of the
            smallest. By default 10 for digits, 100 for cifar10 and cifar100, and otherwise the data as they are.
        imbalance_type: "exp" or "step", see ``long_tail_counts``.
        validation_fraction: share of the training samples that become validation.
        seed: draws the long tail and the splits.
        task: "classification" or "regression": diabetes and tables with a number as target.
        bins: for regression, how many bins of equal width the targets are sorted into, see ``make_bin_edges``.

    Returns:
        The problem, its classes numbered 0..K-1, or its targets as they are, with ``bin_edges``.

    Raises:
        InputError: data that cannot be used, or an option that has no effect on this source; with what helps.
    """
    options = Options(target, imbalance, imbalance_type, validation_fraction, seed, bins)
    if task == "regression":
        return _load_regression(source, options)
    if task != "classification":
        raise InputError(f"no task is called {task!r}; there are classification and regression")
    if bins is not None:
        raise InputError(f"--bins {bins} has no effect without --task regression")
    if source in _NAMED_REGRESSION:
        raise InputError(f"{source} has numbers as targets, not classes: add --task regression")
    if source in _NAMED:
        return _NAMED[source](options)
    path = Path(source)
    if path.is_dir():
        return load_folder(path, options)
    for suffix, load_file in _FILES.items():
        if source.endswith(suffix):
            if not path.is_file():
                raise InputError(f"there is no file {source}")
            return load_file(path, options)
    if ":" in source:
        return load_user(source, options)
    raise InputError(
        f"the data source {source!r} is unknown: give {', '.join(SOURCES)}, a file that ends in "
        f"{', '.join(_FILES)}, a folder of images, or package.module:function"
    )


def _load_regression(source: str, options: Options) -> Problem:
    if source in _NAMED_REGRESSION:
        return _NAMED_REGRESSION[source](options)
    if not source.endswith(_TABLES):
        raise InputError(
            f"--task regression reads {', '.join(_NAMED_REGRESSION)} or a table ({', '.join(_TABLES)}) with --target, "
            f"not {source!r}"
        )
    if not Path(source).is_file():
        raise InputError(f"there is no file {source}")
    return load_regression_table(Path(source), options)
