"""Losses as small JSON files: plain numbers that a person can read, loaded without running anything."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from autobalance.errors import InputError
from autobalance.losses._family import IDENTITY, REDUCTIONS, TABLES, ParametricLoss

FORMAT, VERSION = "autobalance-loss", 1
_KEYS = {"format", "version", "task", "num_classes", "class_names", "group_names", "parameters", "reduction", "provenance"}
_OPTIONAL = {"group_names", "provenance"}


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replaces a file as a whole, so that a reader (or a power cut) never meets half of it."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def save_loss(loss: ParametricLoss, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> None:
    """Writes ``loss`` as JSON.

    Args:
        loss: the loss.
        path: the file to write or replace.
        provenance: where the loss comes from (data, class counts, search settings); plain JSON values.
    """
    names = loss.class_names or tuple(str(k) for k in range(loss.num_classes))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "task": "classification",
        "num_classes": loss.num_classes,
        "class_names": list(names),
        **({"group_names": list(loss.group_names)} if loss.group_names else {}),
        "parameters": {name: getattr(loss, name).tolist() for name in IDENTITY},
        "reduction": loss.reduction,
        "provenance": provenance or {},
    }
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def load_loss(path: str | os.PathLike[str], dtype: torch.dtype | None = None) -> ParametricLoss:
    """Reads a loss that `save_loss` or the search wrote.

    Args:
        path: a ``loss.json``.
        dtype: of the loss's numbers; torch's default where None.

    Returns:
        an ``nn.Module``; ``loss(logits, target)`` or, for a loss with groups, ``loss(logits, target, group=g)``.

    Raises:
        InputError (a ValueError): the file is torn, of another format or version, has unknown or missing keys, lists
            of wrong lengths or values that are not finite numbers. Names the file and the fault.
        FileNotFoundError: there is no such file.
    """

    def fault(what: str) -> InputError:
        return InputError(f"{os.fspath(path)}: {what}")

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise fault(f"not a whole JSON file ({error}); was it cut off? Write it again with the search") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise fault(f'not a loss file: "format" should be "{FORMAT}"')
    if content.get("version") != VERSION:
        raise fault(f"version {content.get('version')!r} is not the version {VERSION} that this release reads")
    if unknown := set(content) - _KEYS:
        raise fault(f"unknown keys {sorted(unknown)}")
    if missing := _KEYS - _OPTIONAL - set(content):
        raise fault(f"missing keys {sorted(missing)}")
    if content["task"] != "classification":
        raise fault(f"task {content['task']!r} is not 'classification'")
    if content["reduction"] not in REDUCTIONS:
        raise fault(f"reduction {content['reduction']!r} is none of {', '.join(REDUCTIONS)}")
    number = content["num_classes"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 2:
        raise fault(f"num_classes is {number!r}, not a whole number of at least 2")
    parameters = content["parameters"]
    if not isinstance(parameters, dict) or set(parameters) != set(IDENTITY):
        found = sorted(parameters) if isinstance(parameters, dict) else type(parameters).__name__
        raise fault(f"parameters should be exactly {sorted(IDENTITY)}, found {found}")
    for name, value in parameters.items():
        _check_numbers(name, value, table=name in TABLES, fault=fault)
    names = {key: content.get(key) for key in ("class_names", "group_names")}
    for key, value in names.items():
        if value is not None and not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
            raise fault(f"{key} is not a list of strings")
    try:
        return ParametricLoss(number, **parameters, reduction=content["reduction"], dtype=dtype, **names)
    except ValueError as error:
        raise fault(str(error)) from None


def _check_numbers(name: str, value: Any, table: bool, fault: Any) -> None:
    """A number, or for a table a list of numbers or of equally long lists of numbers, all finite."""
    rows = value if table and isinstance(value, list) else [value]
    if table and not isinstance(value, list):
        raise fault(f"{name} is not a list of numbers a class")
    width = {len(row) if isinstance(row, list) and table else None for row in rows}
    if len(width) > 1:
        raise fault(f"{name} has rows of different lengths")
    for row in rows:
        for number in row if isinstance(row, list) else [row]:
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise fault(f"{name} holds {number!r}, which is not a finite number")
