"""Any column of values as a NumPy array."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._deferred import Deferred
from autobalance.data.intake._tables import of_pandas


def to_array(values: Any) -> Any:
    """A NumPy array of arrays, tensors, lists and pandas columns and tables; `Deferred` inputs as they are.

    Raises:
        InputError: rows of different lengths, or a column of a table that is not numbers.
    """
    if isinstance(values, Deferred):
        return values
    if (table := of_pandas(values)) is not None:
        return table
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype in (torch.bfloat16, torch.float16) else values).numpy()
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:  # rows of different lengths
        raise InputError(
            f"samples make no array: {' '.join(str(error).split())}; where they are of different lengths, pad them, or "
            "give a DataLoader with a collate_fn that does"
        ) from None
