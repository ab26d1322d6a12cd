"""Policies as small JSON files: plain numbers that a person can read, loaded without running anything."""

from __future__ import annotations

import os
from typing import Any

from autobalance.common import Fault, JsonFormat, check_count, check_keys, check_strings, check_table
from autobalance.data.augmentation._pipeline import OPERATIONS
from autobalance.data.augmentation._policy import Policy

FORMAT = JsonFormat("autobalance-augmentation", 1, "an augmentation file")
_REQUIRED = {"kind", "num_classes", "operations"}
_OPTIONAL = {"class_names", "group_names", "provenance"}


def save_augmentation(policy: Policy, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> None:
    """Writes a policy as JSON: for each operation the strengths and probabilities of the classes.

    Args:
        policy: the policy.
        path: the file to write or replace.
        provenance: where the policy comes from; plain JSON values.
    """
    content = {
        "kind": policy.kind,
        "num_classes": policy.num_classes,
        **({"class_names": list(policy.class_names)} if policy.class_names else {}),
        **({"group_names": list(policy.group_names)} if policy.group_names else {}),
        "operations": {
            name: {"unit": OPERATIONS[policy.kind][name].unit, **tables} for name, tables in policy.to_dict().items()
        },
        "provenance": provenance or {},
    }
    FORMAT.write(path, content)


def load_augmentation(path: str | os.PathLike[str]) -> Policy:
    """Reads a policy that the search or `save_augmentation` wrote.

    Args:
        path: an ``augmentation.json``.

    Returns:
        an ``nn.Module``: ``x, y = policy(x, y)``, see `Policy`.

    Raises:
        InputError (a ValueError): the file is damaged, of another format or version, has unknown or missing keys, lists
            of wrong lengths or values that are not finite numbers. Names the file and the fault.
        FileNotFoundError: there is no such file.
    """
    content, fault = FORMAT.read(path)
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


def _check_content(content: dict[str, Any], fault: Fault) -> None:
    check_keys(content, _REQUIRED, _OPTIONAL, fault)
    if content["kind"] not in list(OPERATIONS):
        raise fault(f"kind {content['kind']!r} is none of {', '.join(OPERATIONS)}")
    check_count("num_classes", content["num_classes"], 1, fault)
    for key in ("class_names", "group_names"):
        if key in content:
            check_strings(key, content[key], fault)
    if not isinstance(content["operations"], dict):
        raise fault("operations is not an object")
    for name, entry in content["operations"].items():
        _check_operation(name, entry, content["kind"], fault)


def _check_operation(name: str, entry: Any, kind: str, fault: Fault) -> None:
    """Exactly a strength and a probability, each a list of numbers or of equally long lists of numbers; and a unit
    that, where it is given, is the one that this release measures in."""
    if name not in OPERATIONS[kind]:
        raise fault(f"no operation on {kind}s is called {name!r}; there are {', '.join(OPERATIONS[kind])}")
    tables = {"strength", "probability"}
    if not isinstance(entry, dict) or not tables <= set(entry) <= tables | {"unit"}:
        raise fault(f"{name} should be an object with exactly a strength, a probability and, for people, a unit")
    if entry.get("unit", OPERATIONS[kind][name].unit) != OPERATIONS[kind][name].unit:
        raise fault(f"the unit of {name} is {entry['unit']!r}, not {OPERATIONS[kind][name].unit!r}")
    for what in ("strength", "probability"):
        check_table(f"the {what} of {name}", entry[what], fault)
