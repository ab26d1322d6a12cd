"""The input columns of a table as vectors: numbers standardised, texts one-hot, free text by its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data.sources._columns import finite
from autobalance.data.sources._read_table import is_number, row_name
from autobalance.data.sources._text import encode_texts

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 1000


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


def _check_missing(features: pd.DataFrame) -> None:
    """Raises where values are missing, with all the columns that lack some, so that one look is enough."""
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
        + ": fill them in (a median, or a text such as 'unknown'), drop the rows, or `drop` "
        + ",".join([first, *others])
    )


def _check_column(column: pd.Series) -> None:
    """Raises for a feature that cannot be encoded: values infinite, of a type or number that does not fit."""
    if is_number(column):
        finite(column, "column")
    elif column.dtype.kind in "mM":
        raise InputError(f"column {column.name!r} holds dates: turn it into numbers or `drop` it")
    elif column.astype(str).nunique() > MAX_CATEGORIES:
        raise InputError(
            f"column {column.name!r} has {column.astype(str).nunique()} different texts, more than {MAX_CATEGORIES}: "
            "`drop` it, it looks like a name, or name it in `text` if it is free text"
        )
