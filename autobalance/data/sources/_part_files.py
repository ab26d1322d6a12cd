"""The files of a folder that hold the parts of one data set, such as ``train.csv`` and ``ImageNet_LT_test.txt``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from autobalance.common import InputError

#: What people call the parts, and what they are here.
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}
_WORD = re.compile(r"[A-Za-z]+")


def part_files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The file of each part, in the order train, val, test. A file is for a part where it has one of ``suffixes`` and
    the words in its name are of exactly one part in `PART_NAMES`.

    Returns:
        the files; none where ``folder`` is no folder, where no file is for train, or where only that one is there,
        beside a folder called train.

    Raises:
        InputError: two files for one part; train alone.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        suffix = next((s for s in suffixes if path.name.endswith(s)), None)
        if suffix is None or path.name.startswith(".") or not path.is_file():
            continue
        words = _WORD.findall(path.name.removesuffix(suffix))
        parts = {PART_NAMES[word.lower()] for word in words if word.lower() in PART_NAMES}
        if len(parts) != 1:
            continue
        (part,) = parts
        if part in found:
            raise InputError(
                f"{folder} holds two files for {part}, {found[part].name} and {path.name}: "
                "put each data set into a folder of its own"
            )
        found[part] = path
    if "train" not in found:
        return {}
    if len(found) == 1 and (folder / "train").is_dir():
        return {}
    if len(found) == 1:
        raise InputError(f"{folder} holds {found['train'].name}, but no such file for test or val")
    return {part: found[part] for part in ("train", "val", "test") if part in found}
