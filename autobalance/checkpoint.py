"""Checkpoints that are whole at any moment and are read without running anything from them."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autobalance.errors import InputError

_VERSION = 1


@dataclass
class Checkpoint:
    """How far a run has come.

    Args:
        search: the search's state as plain containers (`SearchState.to_dict`), None before its start.
        history: the records of the epochs searched.
        search_seconds: time spent on them.
        trainings: the result of each finished training, by ``method/seed``.
    """

    search: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    search_seconds: float = 0.0
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes beside the old file and then replaces it, so that a kill leaves one or the other."""
        partial = path.with_name(path.name + ".partial")
        torch.save({"version": _VERSION, **vars(self)}, partial)
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is torn, of another version, or holds anything but tensors and plain values.
        """
        try:
            content = torch.load(path, weights_only=True, map_location="cpu")
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} cannot be read ({' '.join(str(error).split())[:120]}): start the run anew"
            ) from None
        if not isinstance(content, dict) or content.pop("version", None) != _VERSION:
            raise InputError(f"{path} is not a checkpoint of this release: start the run anew")
        return cls(**content)
