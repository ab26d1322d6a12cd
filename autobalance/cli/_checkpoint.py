"""Checkpoints that are complete at any moment and are read without running anything from them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError, replacing

_VERSION = 3


@dataclass
class Checkpoint:
    """How far a run has come.

    Args:
        search: the search's state as plain containers (`State.to_dict`), None before its start.
        history: the records of the epochs searched.
        search_seconds: the time spent on them.
        trainings: the result of each finished training, by ``method/seed``.
        held_out: what each finished model of the choice answers on its held-out samples, by ``method/fold``.
        diverged: why trainings of the choice count as a constant prediction, by ``method/fold``.
        choice_seconds: the time spent on the choice.
    """

    search: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    search_seconds: float = 0.0
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    held_out: dict[str, Tensor] = field(default_factory=dict)
    diverged: dict[str, str] = field(default_factory=dict)
    choice_seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Writes beside the old file and then replaces it, so that a kill leaves one or the other.

        Raises:
            OSError: the file cannot be written, for example to a full disk.
        """
        with replacing(path) as file:
            torch.save({"version": _VERSION, **vars(self)}, file)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is torn, of another version, or holds anything but tensors and plain values.
        """
        try:
            content = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:  # a torn file breaks torch's reader in many ways, none of which runs anything
            raise InputError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}): start a new run") from None
        known = {"version", *(each.name for each in fields(cls))}
        if not isinstance(content, dict) or set(content) != known or content.pop("version") != _VERSION:
            raise InputError(f"{path} is not a checkpoint of this release: start a new run")
        return cls(**content)
