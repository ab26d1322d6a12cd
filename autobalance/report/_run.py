"""A finished run as arrays, read from its directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.errors import InputError
from autobalance.losses import Member, load_loss
from autobalance.points import fixed_point
from autobalance.report._facts import Measure, as_float, measure

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """What the page shows. ``parameters`` are (K, G), G = 1 without groups, on the gauge of `on_gauge`."""

    result: dict[str, Any]
    history: list[dict[str, Any]]
    class_names: list[str]
    group_names: list[str]
    counts: Array
    parameters: dict[str, Array]
    references: dict[str, dict[str, Array]]

    @property
    def order(self) -> NDArray[np.intp]:
        """The classes, most frequent first."""
        return np.argsort(-self.counts, kind="stable")

    @property
    def listed(self) -> NDArray[np.intp]:
        """The classes, most frequent first, or the bins along the target."""
        return self.order if self.what.index == "class" else np.arange(len(self.counts))

    @property
    def what(self) -> Measure:
        """What the methods are ranked by."""
        return measure(self.result)


def on_gauge(name: str, table: Array, counts: Array) -> Array:
    """A table (K, G) with mean-zero l over the classes, or mean-one w over the samples; others as they are."""
    if name == "l":
        return table - table.mean(0)
    if name == "w":
        mean = (table.mean(1) * counts).sum() / counts.sum()
        return table / mean if mean > 0 else table
    return table


def _references(counts: Array, regression: bool) -> dict[str, dict[str, Array]]:
    """For each parameter, the named losses to show beside it: (K,) tables on the same gauge."""
    points: dict[str, tuple[str, ...]] = {"w": ("weighted", "ce"), "l": ("la", "ce"), "delta": ("cdt", "ce")}
    if regression:
        points = {"w": ("inv", "lds", "l1")}
    found: dict[str, dict[str, Array]] = {}
    for name, methods in points.items():
        found[name] = {}
        for method in methods:
            of = {"bin_counts" if regression else "class_counts": [int(count) for count in counts]}
            loss = fixed_point(method, **of)  # type: ignore[arg-type]
            table = np.asarray(getattr(loss, name).tolist(), dtype=float)[:, None]
            found[name][method] = on_gauge(name, table, counts)[:, 0]
    return found


def _table(value: Any) -> Array:
    table = np.asarray(value, dtype=float)
    return table[:, None] if table.ndim == 1 else table


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``history.jsonl``; a torn last line (a run that was killed) is left out, no file gives no rows."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = []
    for place, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if place < len(lines):
                raise InputError(f"{path}: line {place} is not JSON ({error})") from None
    return rows


def _read_result(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not a whole JSON file ({error})") from None
    if not isinstance(result, dict) or not isinstance(result.get("class_counts"), list):
        raise InputError(f'{path}: no "class_counts"; is it the result of a search?')
    return result


def read_run(directory: Path) -> Run:
    """Reads and checks the files of a run."""
    result = _read_result(directory / "result.json")
    loss = load_loss(directory / "loss.json").at(1.0)
    assert isinstance(loss, Member)  # a file holds nothing else
    counts = np.array([as_float(count) for count in result["class_counts"]])
    if len(counts) != loss.num_classes:
        raise InputError(f"{directory}: loss.json has {loss.num_classes} classes, result.json counts {len(counts)}")
    names = result.get("class_names") or loss.class_names or range(len(counts))
    groups = loss.group_names or [f"group {g}" for g in range(loss.num_groups)]
    return Run(
        result=result,
        history=read_history(directory / "history.jsonl"),
        class_names=[str(name) for name in names],
        group_names=list(groups),
        counts=counts,
        parameters={name: on_gauge(name, _table(getattr(loss, name).tolist()), counts) for name in loss.searchable},
        references=_references(counts, loss.ordered),
    )
