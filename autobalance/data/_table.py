"""Tables in .csv or .parquet files, one column of which is the class."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autobalance.data._arrays import Arrays, to_samples
from autobalance.data._assemble import Options
from autobalance.data._samples import Problem
from autobalance.data._split import stratified_split
from autobalance.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

TEST_FRACTION = 0.2
MAX_CATEGORIES = 1000


def load_table(path: Path, options: Options) -> Problem:
    """Read a table; split off a fifth for test, then ``validation_fraction`` of the rest, stratified, by the seed.

    The classes are the values of the target column, sorted. Of the other columns numbers are standardised and texts
    one-hot encoded, both as the training split has them; a text that the training split lacks is encoded as zeros.
    """
    options.refuse_imbalance("a table", "its classes have their own frequencies")
    frame = read_table(path)
    labels, names = _classes(frame, options.target, path)
    features = frame.drop(columns=[options.target])

    generator = np.random.default_rng(options.seed)
    rest, test = stratified_split(labels, TEST_FRACTION, generator, class_names=names, leave=2)
    inner, outer = stratified_split(labels[rest], options.validation_fraction, generator, class_names=names)
    index = [rest[inner], rest[outer], test]
    encoded = encode(features, index[0], f"{path} has no column beside the target {options.target!r}")
    parts = [Arrays(encoded[i], labels[i]) for i in index]
    train, validation, held_out = to_samples(parts, standardise=False)
    return Problem(path.name.removesuffix(".gz").rpartition(".")[0], train, validation, held_out, names)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a file, its column names as text.

    Raises:
        InputError: the file cannot be read or has no rows.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, low_memory=False)
    except ImportError as error:
        raise InputError(f"{path} needs pyarrow to be read: pip install 'autobalance[parquet]'") from error
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as a table: {reason}") from error
    frame.columns = [str(column) for column in frame.columns]
    if len(frame) == 0:
        raise InputError(f"{path} has a header but no rows")
    return frame


def _classes(frame: pd.DataFrame, target: str | None, path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels 0..K-1 and the K names, in the order of the numbers or else of the alphabet."""
    column, columns = target_column(frame, target, path, "class"), ", ".join(frame.columns)
    number = _is_number(column)
    if number and not np.isfinite(column.to_numpy(np.float64)).all():
        raise InputError(f"the target {target!r} is infinite in {_row(~np.isfinite(column.to_numpy(np.float64)))}")
    values = column.to_numpy(np.float64) if number else column.astype(str).to_numpy(dtype=object)
    distinct, labels = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        raise InputError(
            f"the target {target!r} is constant, always {column.iloc[0]}: choose another column of {columns}"
        )
    if number and len(distinct) > 20 and (column.dtype.kind == "f" or len(distinct) > len(column) / 20):
        raise InputError(
            f"the target {target!r} is a number with {len(distinct)} different values, not a class: predicting it is "
            "regression, not classification; add --task regression, or choose a column of classes"
        )
    if column.dtype.kind == "b":
        return labels.astype(np.int64), tuple(str(bool(v)) for v in distinct)
    names = (str(int(v)) if number and float(v).is_integer() else str(v) for v in distinct)
    return labels.astype(np.int64), tuple(names)


def target_column(frame: pd.DataFrame, target: str | None, path: Path, what: str) -> pd.Series:
    """The column that holds what is predicted, once it is known to be there in every row."""
    columns = ", ".join(frame.columns)
    if target is None:
        raise InputError(f"{path} needs --target, the column that holds the {what}: one of {columns}")
    if target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}: it has {columns}")
    column = frame[target]
    if column.isna().any():
        raise InputError(f"the target {target!r} is missing in {_row(column.isna())}: fill it in or drop the row")
    return column


def numbers_of(column: pd.Series) -> NDArray[np.float64]:
    """A target column of finite numbers that are not all the same, for regression.

    Raises:
        InputError: it is none, with the first row at fault.
    """
    if not _is_number(column) or column.dtype.kind == "b":
        raise InputError(
            f"the target {column.name!r} holds no numbers, such as {column.iloc[0]!r}: a regression predicts numbers; "
            "leave --task regression out, or choose another column"
        )
    values = column.to_numpy(np.float64)
    fine = np.abs(values) <= np.finfo(np.float32).max
    if not fine.all():
        raise InputError(f"the target {column.name!r} is {values[np.argmin(fine)]} in {_row(~fine)}: it must be finite")
    if values.min() == values.max():
        raise InputError(f"the target {column.name!r} is constant, always {column.iloc[0]}: choose another column")
    return values


def _check_column(column: pd.Series) -> None:
    """Raise for a feature that cannot be encoded: values missing, infinite, of a type or number that does not fit."""
    if column.isna().any():
        raise InputError(
            f"column {column.name!r} has no value (NaN) in {_row(column.isna())}: fill it in or drop the row or column"
        )
    if _is_number(column):
        values = column.to_numpy(np.float64)
        fine = np.abs(values) <= np.finfo(np.float32).max
        if not fine.all():
            raise InputError(f"column {column.name!r} is {values[np.argmin(fine)]} in {_row(~fine)}: it must be finite")
    elif column.dtype.kind in "mM":
        raise InputError(f"column {column.name!r} holds dates: turn it into numbers or drop it")
    elif column.astype(str).nunique() > MAX_CATEGORIES:
        raise InputError(
            f"column {column.name!r} has {column.astype(str).nunique()} different texts, more than {MAX_CATEGORIES}: "
            "drop it, it looks like a name or free text"
        )


def _row(bad: pd.Series | NDArray[np.bool_]) -> str:
    """The first row at fault, counted from 1 without the header."""
    return f"data row {int(np.argmax(np.asarray(bad))) + 1}"


def _is_number(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column.dtype)


def encode(features: pd.DataFrame, train: NDArray[np.int64], none: str) -> NDArray[np.float32]:
    """All rows as vectors, with statistics and categories of the rows at ``train`` alone.

    Raises:
        InputError: ``none`` where there is no column; a column that cannot be encoded.
    """
    if features.shape[1] == 0:
        raise InputError(none)
    numbers = [c for c in features.columns if _is_number(features[c])]
    texts = [c for c in features.columns if c not in numbers]
    for name in features:
        _check_column(features[name])
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoder = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )
    typed = features.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(texts, "str")})
    encoder.fit(typed.iloc[train])
    return np.asarray(encoder.transform(typed), dtype=np.float32)
