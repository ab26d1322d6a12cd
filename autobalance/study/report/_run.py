"""A finished run as arrays, read from its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data.augmentation import Policy, load_augmentation
from autobalance.losses import Member, load_loss
from autobalance.losses.named import fixed_point
from autobalance.study.report._ranking import Ranking, as_float, ranking

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """What the page shows. ``parameters`` are (K, G), G = 1 without groups, on the gauge of `on_gauge`; ``cells`` are
    the samples of each class in each group, (K, G), without groups of each class, (K, 1).

    With a searched augmentation there is its ``policy``, and for images ``augmented``: classes (C,), a training image
    of each (C, colours, H, W) and changed copies of it (C, N, colours, H, W).
    """

    result: dict[str, Any]
    history: list[dict[str, Any]]
    class_names: list[str]
    group_names: list[str]
    counts: Array
    cells: Array
    parameters: dict[str, Array]
    references: dict[str, dict[str, Array]]
    policy: Policy | None = None
    augmented: tuple[list[int], Array, Array] | None = None

    @property
    def order(self) -> NDArray[np.intp]:
        """The classes, most frequent first."""
        return np.argsort(-self.counts, kind="stable")

    @property
    def listed(self) -> NDArray[np.intp]:
        """The classes, most frequent first, or the bins along the target."""
        return self.order if self.index == "class" else np.arange(len(self.counts))

    @cached_property
    def ranking(self) -> Ranking:
        """What the methods are ranked by."""
        return ranking(self.result)

    @property
    def index(self) -> str:
        """What a figure by class is indexed by: ``class`` or ``bin``."""
        return self.ranking.index


def on_gauge(name: str, table: Array, cells: Array) -> Array:
    """A table with mean-zero l over the classes of each group, or mean-one w over the samples; others as they are.

    Args:
        name: of the parameter.
        table: (K, G), G = 1 without groups.
        cells: samples of each class in each group, (K, G).
    """
    if name == "l":
        return table - table.mean(0)
    if name == "w":
        mean = (table * cells).sum() / cells.sum()
        return table / mean if mean > 0 else table
    return table


#: The fixed losses that each learned parameter is shown beside: for classes, with groups, and for bins.
_FIXED = {"w": ("weighted", "ce"), "l": ("la", "ce"), "delta": ("cdt", "ce")}
_FIXED_OF_GROUPS = {"w": ("group-weighted", "ce"), "l": ("group-la", "ce"), "delta": ("group-vs", "ce")}
_FIXED_OF_BINS = {"w": ("inv", "lds", "l1"), "l": ("l1",), "delta": ("l1",)}


def _references(cells: Array, regression: bool) -> dict[str, dict[str, Array]]:
    """For each parameter, the named losses to show beside it: (K, G) tables on the same gauge."""
    named: Mapping[str, tuple[str, ...]] = _FIXED_OF_GROUPS if cells.shape[1] > 1 else _FIXED
    if regression:
        named = _FIXED_OF_BINS
    counts = cells.sum(1)
    found: dict[str, dict[str, Array]] = {}
    for name, methods in named.items():
        found[name] = {}
        for method in methods:
            key = "cell_counts" if method.startswith("group") else "bin_counts" if regression else "class_counts"
            of = {key: (cells if key == "cell_counts" else counts).astype(int).tolist()}
            table = _table(getattr(fixed_point(method, **of), name).tolist())
            found[name][method] = on_gauge(name, np.broadcast_to(table, cells.shape), cells)
    return found


def _wide(value: Any, cells: Array) -> Array:
    """A table, (K, G): what was not searched has one column for all groups."""
    table = _table(value)
    return np.broadcast_to(table, cells.shape).copy() if table.shape[1] == 1 else table


def _table(value: Any) -> Array:
    table = np.asarray(value, dtype=float)
    return table[:, None] if table.ndim == 1 else table


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``history.jsonl``, none without a file; a last line that is torn, by a kill, is left out."""
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
        raise InputError(f"{path}: not a complete JSON file ({error})") from None
    if not isinstance(result, dict) or not isinstance(result.get("class_counts"), list):
        raise InputError(f'{path}: no "class_counts"; is it the result of a search?')
    return result


def read_run(directory: Path) -> Run:
    """Reads and checks the files of a run."""
    result = _read_result(directory / "result.json")
    kept = directory / "searched.json"  # where a fixed loss was chosen, loss.json holds that one
    loss = load_loss(kept if kept.exists() else directory / "loss.json").at(1.0)
    assert isinstance(loss, Member)  # a file holds nothing else
    counts = np.array([as_float(count) for count in result["class_counts"]])
    if len(counts) != loss.num_classes:
        raise InputError(f"{directory}: loss.json has {loss.num_classes} classes, result.json counts {len(counts)}")
    cells = _cells(result, loss.num_groups, counts)
    names = result.get("class_names") or loss.class_names or range(len(counts))
    groups = loss.group_names or [f"group {g}" for g in range(loss.num_groups)]
    return Run(
        result=result,
        history=read_history(directory / "history.jsonl"),
        class_names=[str(name) for name in names],
        group_names=list(groups),
        counts=counts,
        cells=cells,
        parameters={
            name: on_gauge(name, _wide(getattr(loss, name).tolist(), cells), cells)
            for name in ("w", "l", "delta")
            if name in loss.searchable
        },
        references=_references(cells, loss.ordered),
        policy=_policy(directory, len(counts)),
        augmented=_augmented(directory / "augmented.npz"),
    )


def _cells(result: dict[str, Any], groups: int, counts: Array) -> Array:
    """Samples of each class in each group, (K, G); of each class, (K, 1), where the loss has no groups."""
    if not groups:
        return counts[:, None]
    cells = np.array(result.get("cell_counts") or [], dtype=float)
    if cells.shape != (len(counts), groups):
        raise InputError(f"result.json: cell_counts has shape {cells.shape}, the loss needs {(len(counts), groups)}")
    return cells


def _policy(directory: Path, num_classes: int) -> Policy | None:
    path = directory / "augmentation.json"
    policy = load_augmentation(path) if path.exists() else None
    if policy is not None and policy.num_classes != num_classes:
        raise InputError(f"{path} has {policy.num_classes} classes, result.json counts {num_classes}")
    return policy


def _augmented(path: Path) -> tuple[list[int], Array, Array] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return file["classes"].tolist(), file["samples"].astype(float), file["copies"].astype(float)
