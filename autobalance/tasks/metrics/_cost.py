"""What predictions cost, by a table of one's own."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.tasks.metrics._confusion import Confusion, of_confusion
from autobalance.tasks.metrics._family import MetricFamily, check_arguments
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register_family


def cost(given: Sequence[str], context: Context) -> Metric:
    """Σ C ∘ M, C the costs (rows: true classes, columns: predicted ones) and M the confusion matrix."""
    check_arguments(given, 1, 1, "cost(FILE.csv)")
    costs = read_costs(Path(given[0]), context)

    def of(matrix: Confusion) -> Tensor:
        return (costs.to(matrix.shares) * matrix.matrix).sum()

    return Metric(
        "objective",
        f"cost by {Path(given[0]).name}",
        f"Cost: what 100 predictions cost by {Path(given[0]).name}.",
        unit="",
        step="",
        digits=None,
        reported=False,
        **of_confusion(of),
    )


def read_costs(path: Path, context: Context) -> Tensor:
    """A table of costs, (K, K), float64; rows are true classes, columns predicted ones.

    Args:
        path: K rows of K numbers, in the order of the classes; or with a row and a column of class names more, in any
            order.
        context: of the samples.

    Raises:
        InputError: the file cannot be read, is of another size, names other classes or holds what is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",") if any(row)]
    except FileNotFoundError:
        raise InputError(f"cost({path}): there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cost({path}): the file cannot be read: {' '.join(str(error).split())}") from None
    number = context.num_classes
    widths = {len(row) for row in rows}
    if widths == {number + 1} and len(rows) == number + 1:
        names = [name.strip() for name in rows[0][1:]], [row[0].strip() for row in rows[1:]]
        columns, order = (_order(path, found, context) for found in names)
        body = [[rows[1 + i][1 + j] for j in columns] for i in order]
    elif widths == {number} and len(rows) == number:
        body = rows
    else:
        wide = " or ".join(map(str, sorted(widths))) or "no"
        raise InputError(
            f"cost({path}): the file has {len(rows)} rows and {wide} columns; {number} classes need {number} of each, "
            f"or {number + 1} with their names"
        )
    return torch.tensor([[_number(path, text) for text in row] for row in body], dtype=torch.float64)


def _order(path: Path, found: Sequence[str], context: Context) -> list[int]:
    """Where each class stands among the names that were found."""
    wanted = context.class_names or tuple(map(str, range(context.num_classes)))
    if odd := [name for name in found if name not in wanted]:
        raise InputError(f"cost({path}): there is no class {odd[0]!r}; the classes are {', '.join(wanted)}")
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"cost({path}): the class {missing[0]!r} is missing")
    return [found.index(name) for name in wanted]


def _number(path: Path, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"cost({path}): {text.strip()!r} is no number")
    return value


register_family(MetricFamily("cost", "FILE.csv", cost, "Costs by a table: rows true, columns predicted classes."))
