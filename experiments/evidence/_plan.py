"""The file that fixes beforehand what is compared, on what, and what decides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autobalance.common import InputError, read_yaml
from experiments.evidence._costs import COSTS
from experiments.kinds import KINDS, Kind
from experiments.public import rows, write
from experiments.suite._plan import Entry, read_entry
from experiments.suite._prepare import prepare


@dataclass(frozen=True)
class Margin:
    """What is practically the same: within ``points``, or within ``share`` of the rival's figure, whichever is more."""

    points: float
    share: float

    def of(self, kind: str, objective: str) -> Margin:
        """For an objective of problems of a kind: numbers and costs have units of their own, no points of percent."""
        return replace(self, points=0.0) if kind == "numbers" or objective.startswith(COSTS) else self


@dataclass(frozen=True)
class Track:
    """Problems of one kind, and what is made small on them.

    Args:
        name: a letter.
        title: in words.
        kind: of `KINDS`.
        objectives: each compared by itself.
        splits: of each problem.
        problems: prepared.
        seen: names of those that some experiment had looked at before.
    """

    name: str
    title: str
    kind: str
    objectives: tuple[str, ...]
    splits: int
    problems: tuple[Entry, ...]
    seen: frozenset[str]

    @property
    def of(self) -> Kind:
        return KINDS[self.kind]


@dataclass(frozen=True)
class EvidencePlan:
    """The tracks, the margin, and the hash of the file that says so."""

    tracks: tuple[Track, ...]
    margin: Margin
    hash: str


def read(path: Path, root: Path, out: Path, tracks: Sequence[str], only: Sequence[str] = ()) -> EvidencePlan:
    """Reads a plan, and writes its public tables and its smaller versions of files to ``out``.

    Args:
        path: a YAML file.
        root: where the files are that it names.
        out: where files are written.
        tracks: names of the tracks that are wanted; none: all.
        only: names of problems; none: all.

    Raises:
        InputError: what is wrong with it.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or set(content) != {"margin", "tracks"}:
        raise InputError(f"{path} needs a margin and tracks, and nothing else")
    known = content["tracks"]
    if unknown := [name for name in tracks if name not in known]:
        raise InputError(f"{path} has no track {unknown[0]!r}; it has {', '.join(known)}")
    wanted = {name: known[name] for name in tracks or known}
    found = tuple(_track(path, name, given, root, out, only) for name, given in wanted.items())
    return EvidencePlan(found, Margin(**content["margin"]), hashlib.sha256(path.read_bytes()).hexdigest()[:12])


def _track(path: Path, name: str, given: Mapping[str, Any], root: Path, out: Path, only: Sequence[str]) -> Track:
    fields = {"title", "kind", "objectives", "splits", "problems"}
    if set(given) != fields or given["kind"] not in KINDS:
        raise InputError(f"{path}: track {name} needs exactly {', '.join(sorted(fields))}, its kind one of {[*KINDS]}")
    problems, seen = [], set()
    for its in given["problems"]:
        its = dict(its)
        if its.pop("seen", False):
            seen.add(its["name"])
        if not only or its["name"] in only:
            problems.append(_problem(path, its, root, out))
    return Track(
        name,
        given["title"],
        given["kind"],
        tuple(given["objectives"]),
        given["splits"],
        tuple(problems),
        frozenset(seen),
    )


def _problem(path: Path, its: dict[str, Any], root: Path, out: Path) -> Entry:
    table = its.pop("public", None)
    if table is not None:  # the last column of a table is what is predicted
        its |= {"data": f"{table}.csv", "target": rows(table)[0][-1]}
        file = out / "public" / its["data"]
        if not file.exists():
            write(table, unfinished := file.with_name(f"unfinished-{file.name}"))
            unfinished.replace(file)
        root = file.parent
    entry = read_entry(path, its, root)
    assert entry is not None  # no entry of this file is for a full budget alone
    return prepare(replace(entry), out / "prepared")
