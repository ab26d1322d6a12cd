"""Tables in .csv or .parquet files, one column of which is the class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_labels, to_samples
from autobalance.data._assemble import Options
from autobalance.data._samples import Problem
from autobalance.data._split import Index, stratified_split, three_parts
from autobalance.data.sources._group_columns import groups_of
from autobalance.data.sources._read_table import is_number, open_rows, row_name
from autobalance.data.sources._text import encode_texts

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 1000


def load_table(path: Path, options: Options) -> Problem:
    """Read a table; where it has no parts, split off a fifth for test, then ``validation_fraction`` of the rest,
    stratified, by the seed.

    The classes are the values of the target column, sorted. Of the other columns those in ``options.text`` become
    vectors as `encode_texts` does it; of the rest numbers are standardised and texts one-hot encoded, as the training
    split has them; a text that the training split lacks is encoded as zeros.

    With ``options.group`` every part has samples of each class in each group, and the columns that the groups come from
    are hidden from the model unless ``options.group_as_feature``.
    """
    options.refuse_group_as_feature()
    options.refuse_imbalance("a table", "its classes have their own frequencies")
    rows = open_rows(path, options)
    labels, names = classes_of(rows.frame, options.target, path)
    groups = None if options.group is None else groups_of(rows.frame, options.group, str(options.target), path)
    group, group_names = (None, None) if groups is None else (groups.of_row, groups.names)
    generator = np.random.default_rng(options.seed)

    def draw(among: Index, fraction: float, leave: int) -> tuple[Index, Index]:
        first, second = stratified_split(
            labels[among],
            fraction,
            generator,
            group=None if group is None else group[among],
            class_names=names,
            group_names=group_names,
            leave=leave,
        )
        return among[first], among[second]

    for part, index in rows.given.items():
        check_labels(labels[index], f"the target {options.target!r} of the {part} rows", len(index), len(names))
        if group is not None:
            number = len(groups.names) if groups else 0
            check_labels(group[index], f"the group of the {part} rows", len(index), number, "group")
    positions = three_parts(len(labels), rows.given, options.validation_fraction, draw)
    hidden = () if groups is None or options.group_as_feature else groups.columns
    if text := set(options.text) & set(hidden):
        raise InputError(f"column {min(text)!r} cannot be both in --text and hidden as --group: add --group-as-feature")
    encoded = encode(
        rows.frame.drop(columns=[options.target, *hidden]),
        options.text,
        positions[0],
        f"{path} has no column beside the target {options.target!r}" + (f" and {', '.join(hidden)}" if hidden else ""),
    )
    parts = [Arrays(encoded[i], labels[i], None if group is None else group[i]) for i in positions]
    train, validation, held_out = to_samples(parts, standardise=False)
    more: dict[str, Any] = {"own_validation": rows.own_validation, "group_names": group_names}
    return Problem(rows.name, train, validation, held_out, names, **more)


def classes_of(frame: pd.DataFrame, target: str | None, path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels 0..K-1 and the K names, in the order of the numbers or else of the alphabet."""
    column, columns = target_column(frame, target, path, "class"), ", ".join(frame.columns)
    number = is_number(column)
    if number and not np.isfinite(column.to_numpy(np.float64)).all():
        row = row_name(column, ~np.isfinite(column.to_numpy(np.float64)))
        raise InputError(f"the target {target!r} is infinite in {row}")
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
        row, number = row_name(column, column.isna()), int(column.isna().sum())
        raise InputError(
            f"the target {target!r} is missing in {row}{f' and {number - 1} more' if number > 1 else ''}: "
            "fill it in or drop the row"
        )
    return column


def numbers_of(column: pd.Series) -> NDArray[np.float64]:
    """A target column of finite numbers that are not all the same, for regression.

    Raises:
        InputError: it is none, with the first row at fault.
    """
    if not is_number(column) or column.dtype.kind == "b":
        raise InputError(
            f"the target {column.name!r} holds no numbers, such as {column.iloc[0]!r}: a regression predicts numbers; "
            "leave --task regression out, or choose another column"
        )
    values = column.to_numpy(np.float64)
    fine = np.abs(values) <= np.finfo(np.float32).max
    if not fine.all():
        value, row = values[np.argmin(fine)], row_name(column, ~fine)
        raise InputError(f"the target {column.name!r} is {value} in {row}: it must be finite")
    if values.min() == values.max():
        raise InputError(f"the target {column.name!r} is constant, always {column.iloc[0]}: choose another column")
    return values


def _check_missing(features: pd.DataFrame) -> None:
    """Raise where values are missing, with all the columns that lack some, so that one look is enough."""
    numbers = {str(name): int(features[name].isna().sum()) for name in features}
    first, *others = [name for name, number in numbers.items() if number] or [""]
    if not first:
        return
    named = [f"{name!r} in {numbers[name]} rows" for name in others[:5]]
    more = [f"{len(others) - 5} more columns"] if len(others) > 5 else []
    raise InputError(
        f"column {first!r} has no value (NaN) in {row_name(features[first], features[first].isna())}"
        + (f" and {numbers[first] - 1} more" if numbers[first] > 1 else "")
        + (f"; nor have {', '.join(named + more)}" if others else "")
        + ": fill them in (a median, or a text such as 'unknown'), drop the rows, or --drop "
        + ",".join([first, *others])
    )


def _check_column(column: pd.Series) -> None:
    """Raise for a feature that cannot be encoded: values infinite, of a type or number that does not fit."""
    if is_number(column):
        values = column.to_numpy(np.float64)
        fine = np.abs(values) <= np.finfo(np.float32).max
        if not fine.all():
            value, row = values[np.argmin(fine)], row_name(column, ~fine)
            raise InputError(f"column {column.name!r} is {value} in {row}: it must be finite")
    elif column.dtype.kind in "mM":
        raise InputError(f"column {column.name!r} holds dates: turn it into numbers or --drop it")
    elif column.astype(str).nunique() > MAX_CATEGORIES:
        raise InputError(
            f"column {column.name!r} has {column.astype(str).nunique()} different texts, more than {MAX_CATEGORIES}: "
            "--drop it, it looks like a name, or name it in --text if it is free text"
        )


def encode(features: pd.DataFrame, text: Sequence[str], train: NDArray[np.int64], none: str) -> NDArray[np.float32]:
    """All rows as vectors, with statistics, categories and vocabulary of the rows at ``train`` alone.

    Args:
        features: the columns to encode.
        text: those of them that `encode_texts` encodes.
        train: positions of the training rows.
        none: said where there is no column.

    Raises:
        InputError: there is no column, or one that cannot be encoded.
    """
    if features.shape[1] == 0:
        raise InputError(none)
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoded: list[NDArray[np.float64]] = []
    if text:
        vectors = encode_texts(features[list(text)], train)
        encoded.append(StandardScaler().fit(vectors[train]).transform(vectors))
        features = features.drop(columns=list(text))
    if features.shape[1]:
        numbers = [c for c in features.columns if is_number(features[c])]
        texts = [c for c in features.columns if c not in numbers]
        _check_missing(features)
        for name in features:
            _check_column(features[name])
        encoder = ColumnTransformer(
            [
                ("numbers", StandardScaler(), numbers),
                ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
            ]
        )
        typed = features.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(texts, "str")})
        encoder.fit(typed.iloc[train])
        encoded.append(encoder.transform(typed))
    return np.hstack(encoded).astype(np.float32)
