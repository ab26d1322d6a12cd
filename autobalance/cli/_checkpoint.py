"""Checkpoints that are complete at any moment and are read without running anything from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

from autobalance.common import InputError, replacing

_VERSION = 3
#: A file ends with this and the SHA-256 of what stands before, in hexadecimal digits.
_MARK = b"\nsha256 "
_TAIL = len(_MARK) + 64


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
        run: what tells the run apart from others.
    """

    search: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    search_seconds: float = 0.0
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    held_out: dict[str, Tensor] = field(default_factory=dict)
    diverged: dict[str, str] = field(default_factory=dict)
    choice_seconds: float = 0.0
    run: str = ""

    def save(self, path: Path) -> None:
        """Writes beside the old file and then replaces it, so that a kill leaves one or the other. The old one stays
        under the name that `previous` says.

        Raises:
            OSError: the file cannot be written, for example to a full disk.
        """
        with replacing(path) as file:
            summed = _Summed(file)
            torch.save({"version": _VERSION, **vars(self)}, cast(BinaryIO, summed))  # all that it calls is there
            file.write(_MARK + summed.digest)
            file.flush()
            if path.exists():
                os.replace(path, previous(path))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is torn or changed, of another version, or holds anything but tensors and plain values.
        """
        try:
            if not _is_whole(path):
                raise ValueError("it is torn, or not what was written: its checksum is another")
            content = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:  # torch's reader breaks in many ways, none of which runs anything
            raise InputError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}): start a new run") from None
        known = {"version", *(each.name for each in fields(cls))}
        if not isinstance(content, dict) or set(content) != known or content.pop("version") != _VERSION:
            raise InputError(f"{path} is not a checkpoint of this release: start a new run")
        return cls(**content)

    @classmethod
    def latest(cls, path: Path, run: str, say: Callable[[str], None]) -> Checkpoint | None:
        """The last checkpoint that can be read: that at ``path``, or else the one before it.

        Args:
            path: where `save` wrote.
            run: what the checkpoint's ``run`` has to be.
            say: told where it is the one before.

        Returns:
            None where nothing was saved yet.

        Raises:
            InputError: neither can be read, or it is of another run.
        """
        kept = [each for each in (path, previous(path)) if each.exists()]
        if not kept:
            return None
        try:
            found = cls.load(kept[0])
        except InputError as error:
            if len(kept) == 1:
                raise
            try:
                found = cls.load(kept[1])
            except InputError:
                raise error from None
            say(f"warning: {str(error).removesuffix(': start a new run')}; the run goes on from the one before it")
        if found.run != run:
            raise InputError(f"{kept[0]} is of a run with other options: put the right one there, or start a new run")
        return found


def previous(path: Path) -> Path:
    """Where the checkpoint before the last is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


class _Summed:
    """A file that is written to and summed up on the way, without a second copy in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sum = file, hashlib.sha256()

    def write(self, part: bytes) -> int:
        self._sum.update(part)
        return self._file.write(part)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> bytes:
        return self._sum.hexdigest().encode()


def _is_whole(path: Path) -> bool:
    """Whether a file is what was written, by the sum at its end."""
    left, total = path.stat().st_size - _TAIL, hashlib.sha256()
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(left, 2**20))):
            total.update(part)
            left -= len(part)
        return left == 0 and file.read() == _MARK + total.hexdigest().encode()
