"""The errors by class, or by bin of the target, as a table and as a file. Plain Python; no plots, no page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from autobalance.study.report._ranking import as_float
from autobalance.study.report._run import Run
from autobalance.study.report._scores import Score
from autobalance.study.report._words import spread

#: The figure of each class or bin in ``test.<method>``.
BY_CLASS = {"class": "class_error", "bin": "bin_mae"}


def class_table(run: Run, rows: Sequence[Score], decimals: int | None) -> dict[str, Any] | None:
    """A row for each class, most frequent first, or for each bin along the target; a column for each method.

    Args:
        run: whose results.
        rows: the methods, in the order of their columns.
        decimals: of the figures.

    Returns:
        ``methods``, their names for people; ``rows``: ``name``, ``samples`` (training and validation) and ``errors``,
        each with its ``text`` and ``value``, empty where it is not known; ``file``: an address that holds the same as
        CSV. None where no method has such figures.
    """
    key = BY_CLASS[run.index]
    entries = {row: run.result["test"][row.method] for row in rows if run.result["test"][row.method].get(key)}
    if not entries:
        return None
    table = []
    for k in run.listed.tolist():
        errors = []
        for entry in entries.values():
            mean, stds = as_float(entry[key][k]), entry.get(f"{key}_std")
            std = math.nan if stds is None else as_float(stds[k])
            value = repr(mean) if math.isfinite(mean) else ""
            errors.append({"text": spread(mean, std, decimals), "value": value})
        table.append({"name": run.class_names[k], "samples": f"{run.counts[k]:.0f}", "errors": errors})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([run.index, "samples", *(row.method for row in entries)])
    writer.writerows([row["name"], row["samples"], *(error["value"] for error in row["errors"])] for row in table)
    return {
        "methods": [row.words for row in entries],
        "rows": table,
        "file": "data:text/csv;charset=utf-8," + quote(text.getvalue()),
    }
