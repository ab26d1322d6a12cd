"""Columns and tables of pandas as arrays. pandas is not imported here: what is one of its kinds has done that."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError


def of_pandas(values: Any) -> NDArray[Any] | None:
    """Numbers of a table's columns, (N, C), or a column's values, (N,), as objects where they are no numbers; None of
    anything else. Integers stay integers; missing numbers are NaN.

    Raises:
        InputError: a column of a table that is not numbers.
    """
    pd: Any = sys.modules.get("pandas")
    if pd is None or not isinstance(values, pd.DataFrame | pd.Series):
        return None
    kinds = pd.api.types
    if isinstance(values, pd.Series):
        if not kinds.is_numeric_dtype(values.dtype):
            return values.to_numpy(dtype=object)
        return _numbers(values.to_frame(), kinds)[:, 0]
    if bad := [(name, dtype) for name, dtype in values.dtypes.items() if not kinds.is_numeric_dtype(dtype)]:
        raise InputError(
            f"column {bad[0][0]!r} holds {bad[0][1]}, not numbers: encode it first, as pandas.get_dummies does, or use "
            "autobalance.AutoBalanceClassifier, which encodes tables itself"
        )
    return _numbers(values, kinds)


def _numbers(table: Any, kinds: Any) -> NDArray[Any]:
    whole = all(kinds.is_integer_dtype(dtype) or kinds.is_bool_dtype(dtype) for dtype in table.dtypes)
    if whole and not table.isna().to_numpy().any():
        return table.to_numpy(dtype=np.int64)
    return table.to_numpy(dtype=np.float64, na_value=np.nan)
