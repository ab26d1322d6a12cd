"""Policies as small JSON files: plain numbers that a person can read, loaded without running anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from autobalance.augmentation._pipeline import OPERATIONS
from autobalance.augmentation._policy import Policy
from autobalance.errors import InputError
from autobalance.losses._file import write_text
from autobalance.losses._kinds import Fault, check_number

FORMAT, VERSION = "autobalance-augmentation", 1
_REQUIRED = {"format", "version", "kind", "num_classes", "operations"}
_OPTIONAL = {"class_names", "group_names", "provenance"}


def save_augmentation(policy: Policy, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> None:
    """Writes a policy as JSON: for each operation the strengths and probabilities of the classes.

    Args:
        policy: the policy.
        path: the file to write or replace.
        provenance: where the policy comes from; plain JSON values.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "kind": policy.kind,
        "num_classes": policy.num_classes,
        **({"class_names": list(policy.class_names)} if policy.class_names else {}),
        **({"group_names": list(policy.group_names)} if policy.group_names else {}),
        "operations": {
            name: {"unit": OPERATIONS[policy.kind][name].unit, **tables} for name, tables in policy.to_dict().items()
        },
        "provenance": provenance or {},
    }
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def load_augmentation(path: str | os.PathLike[str]) -> Policy:
    """Reads a policy that the search or `save_augmentation` wrote.

    Args:
        path: an ``augmentation.json``.

    Returns:
        an ``nn.Module``: ``x, y = policy(x, y)``, see `Policy`.

    Raises:
        InputError (a ValueError): the file is torn, of another format or version, has unknown or missing keys, lists of
            wrong lengths or values that are not finite numbers. Names the file and the fault.
        FileNotFoundError: there is no such file.
    """

    def fault(what: str) -> InputError:
        return InputError(f"{os.fspath(path)}: {what}")

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise fault(f"not a whole JSON file ({error}); was it cut off? Write it again with the search") from None
    _check_content(content, fault)
    operations = content["operations"]
    strength, probability = (
        {name: entry[what] for name, entry in operations.items()} for what in ("strength", "probability")
    )
    try:
        policy = Policy(content["kind"], strength, probability, content.get("class_names"), content.get("group_names"))
    except ValueError as error:
        raise fault(str(error)) from None
    if policy.num_classes != content["num_classes"]:
        raise fault(f"the tables have {policy.num_classes} classes, num_classes is {content['num_classes']}")
    return policy


def _check_content(content: Any, fault: Fault) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise fault(f'not an augmentation file: "format" should be "{FORMAT}"')
    if content.get("version") != VERSION:
        raise fault(f"version {content.get('version')!r} is not the version {VERSION} that this release reads")
    if unknown := set(content) - _REQUIRED - _OPTIONAL:
        raise fault(f"unknown keys {sorted(unknown)}")
    if missing := _REQUIRED - set(content):
        raise fault(f"missing keys {sorted(missing)}")
    if content["kind"] not in list(OPERATIONS):
        raise fault(f"kind {content['kind']!r} is none of {', '.join(OPERATIONS)}")
    number = content["num_classes"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise fault(f"num_classes is {number!r}, not a whole number of at least 1")
    for key in ("class_names", "group_names"):
        names = content.get(key)
        if key in content and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise fault(f"{key} is not a list of strings")
    if not isinstance(content.get("provenance", {}), dict):
        raise fault("provenance is not an object")
    if not isinstance(content["operations"], dict):
        raise fault("operations is not an object")
    for name, entry in content["operations"].items():
        _check_operation(name, entry, content["kind"], fault)


def _check_operation(name: str, entry: Any, kind: str, fault: Fault) -> None:
    """Exactly a strength and a probability, each a list of numbers or of equally long lists of numbers; and a unit
    that, where it is given, is the one that this release measures in."""
    if name not in OPERATIONS[kind]:
        raise fault(f"no operation on {kind}s is called {name!r}; there are {', '.join(OPERATIONS[kind])}")
    if not isinstance(entry, dict) or not {"strength", "probability"} <= set(entry) <= {
        "strength",
        "probability",
        "unit",
    }:
        raise fault(f"{name} should be an object with exactly a strength, a probability and, for people, a unit")
    if entry.get("unit", OPERATIONS[kind][name].unit) != OPERATIONS[kind][name].unit:
        raise fault(f"the unit of {name} is {entry['unit']!r}, not {OPERATIONS[kind][name].unit!r}")
    for what in ("strength", "probability"):
        table = entry[what]
        where = f"the {what} of {name}"
        if not isinstance(table, list) or not table:
            raise fault(f"{where} is not a list of numbers")
        if len({len(row) if isinstance(row, list) else None for row in table}) > 1:
            raise fault(f"{where} has rows of different lengths")
        for row in table:
            for value in row if isinstance(row, list) else [row]:
                check_number(where, value, fault)
