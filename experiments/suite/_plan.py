"""The file that names problems and searches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from autobalance.cli import GroupOptions
from autobalance.common import InputError, read_yaml

#: What a problem's entry can hold beside the options of ``python -m autobalance.search`` on data, model and training.
_OWN = ("name", "rows", "fewest", "largest", "halved", "samples", "tail", "metric", "full")
_KNOWN = {option.name for option in fields(GroupOptions)} - {"seed", "seeds", "out", "validation", "device"}

#: What the finished models are compared by, lower is better; the first that a problem's tests have.
METRICS = {
    "worst_group_error": "worst-group error (%)",
    "balanced_error": "balanced error (%)",
    "balanced_mae": "balanced MAE",
}


@dataclass(frozen=True)
class Entry:
    """One problem.

    Args:
        name: in the tables.
        data: a data source; a file's name is looked for in the root.
        options: further options of data, model and training.
        rows: a random part of a table of about this many rows, the same for every seed; None: all.
        fewest: classes with fewer rows than this in a table are left out.
        largest: training images of each class in a .npz file that are used, before any thinning; a quarter as many
            test images, but 200 at least.
        halved: whether these images are then halved in width and height, each 2 x 2 pixels to their mean.
        samples: training and validation samples in all, drawn anew for each seed, each class in proportion; None: all.
        tail: before that a table's classes are thinned to a long tail of this imbalance ratio, in the order of their
            frequency; None: as they are.
        metric: one of `METRICS`; None: the worst group's error where there are groups, the balanced error, the balanced
            MAE.
    """

    name: str
    data: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: int | None = None
    fewest: int | None = None
    largest: int | None = None
    halved: bool = False
    samples: int | None = None
    tail: float | None = None
    metric: str | None = None

    @property
    def prepared(self) -> bool:
        """Whether the file is rewritten before it is used."""
        return self.rows is not None or self.fewest is not None or self.largest is not None


@dataclass(frozen=True)
class Plan:
    """The problems, and the searches by name: keywords of `experiments.suite._search.Search`."""

    problems: tuple[Entry, ...]
    searches: Mapping[str, Mapping[str, Any]]


def read_plan(path: Path, full: bool, root: Path, only: str | None = None) -> Plan:
    """Reads ``problems`` and ``searches`` from a YAML file.

    Args:
        path: the file.
        full: whether each problem's ``full`` goes before its other values; ``full: only`` leaves it out otherwise.
        root: where the files are that it names.
        only: names of problems, separated by commas; None: all.

    Raises:
        InputError: what is wrong in it.
    """
    try:
        content = read_yaml(path)
    except InputError as error:
        raise InputError(f"`problems`: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("problems"), list):
        raise InputError(f"`problems`: {path} needs problems, a list of entries with name and data")
    if unknown := set(content) - {"problems", "searches"}:
        raise InputError(f"`problems`: {path} has the unknown part {sorted(unknown)[0]!r}")
    entries = [read_entry(path, given, root, full) for given in content["problems"]]
    problems = {entry.name: entry for entry in entries if entry is not None}
    if only is not None:
        wanted = [name.strip() for name in only.split(",")]
        if missing := [name for name in wanted if name not in problems]:
            raise InputError(f"`only`: {path} has no problem {missing[0]!r}; it has {', '.join(problems)}")
        problems = {name: problems[name] for name in wanted}
    searches = content.get("searches") or {}
    if not isinstance(searches, dict) or not all(isinstance(value, dict) for value in searches.values()):
        raise InputError(f"`problems`: {path}: searches are named tables of keywords")
    return Plan(tuple(problems.values()), searches)


def read_entry(path: Path, given: Any, root: Path, full: bool = False) -> Entry | None:
    """A problem of a file, None where it is for ``full`` alone.

    Raises:
        InputError: what is wrong with it.
    """
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not isinstance(given.get("data"), str):
        raise InputError(f"`problems`: {path}: every problem needs a name and data, got {given!r:.80}")
    if not re.fullmatch(r"\w[\w .+-]*", given["name"]):
        raise InputError(
            f"`problems`: {path}: {given['name']!r} names files of the results: use letters, digits, spaces, . _ + -"
        )
    given = dict(given)
    only_full = given.pop("full", {})
    if only_full == "only":
        if not full:
            return None
        only_full = {}
    given |= only_full if full else {}
    options = {name: value for name, value in given.items() if name not in (*_OWN, "data")}
    if unknown := set(options) - _KNOWN:
        raise InputError(f"`problems`: {path}: {given['name']} has the unknown option {sorted(unknown)[0]!r}")
    if given.get("metric") not in (None, *METRICS):
        raise InputError(f"`problems`: {path}: {given['name']}: the metrics are {', '.join(METRICS)}")
    data = given["data"]
    if Path(data).suffix:
        data = str(root / data)
        if not Path(data).is_file():
            raise InputError(f"there is no file {data}: `root` names the folder of the files that {path} names")
    own = {name: given.get(name) for name in ("rows", "fewest", "largest", "samples", "tail", "metric")}
    return Entry(given["name"], data, options, halved=bool(given.get("halved")), **own)
