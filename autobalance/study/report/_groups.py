"""The errors by class and group as a table. Plain Python; no plots, no page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autobalance.study.report._ranking import as_float
from autobalance.study.report._scores import Score
from autobalance.study.report._words import spread


def group_table(result: dict[str, Any], rows: Sequence[Score]) -> dict[str, Any] | None:
    """A row for each cell, a class in a group, then one for each group; a column for each method.

    Args:
        result: the content of result.json.
        rows: the methods, in the order of their columns.

    Returns:
        ``methods``, their names for people, and ``rows``: ``name``, ``samples`` (training and validation) and
        ``errors``, each with its ``text`` and whether it is the ``worst`` cell of the method; None without groups.
    """
    cells = result.get("cell_counts")
    known = [row for row in rows if result["test"][row.method].get("cell_error")]
    if not cells or not known:
        return None
    entries = [result["test"][row.method] for row in known]
    groups, worst = result["group_names"], [_worst(entry["cell_error"]) for entry in entries]
    table = []
    for k, class_name in enumerate(result["class_names"]):
        for g, group_name in enumerate(groups):
            errors = [
                {
                    "text": _text(entry, "cell_error", k, g),
                    "worst": entry["cell_error"][k][g] is not None and entry["cell_error"][k][g] == worst[place],
                }
                for place, entry in enumerate(entries)
            ]
            table.append({"name": f"{class_name}, {group_name}", "samples": cells[k][g], "errors": errors})
    for g, group_name in enumerate(groups):
        errors = [{"text": _text(entry, "group_error", g), "worst": False} for entry in entries]
        table.append({"name": f"all of {group_name}", "samples": sum(row[g] for row in cells), "errors": errors})
    return {"methods": [row.words for row in known], "rows": table}


def _worst(cells: Sequence[Sequence[float | None]]) -> float:
    return max(value for row in cells for value in row if value is not None)


def _text(entry: dict[str, Any], key: str, *place: int) -> str:
    mean, std = entry[key], entry.get(f"{key}_std")
    for index in place:
        mean, std = mean[index], None if std is None else std[index]
    return spread(as_float(mean), as_float(std))
