"""What a run remembers of its data, so that nobody resumes it with other data by mistake."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError, write_text
from autobalance.data._image_files import ImageFiles
from autobalance.data._problem import Problem
from autobalance.data._samples import Samples

#: Samples whose inputs are looked at, and image files, evenly spread.
_SAMPLES, _FILES = 64, 1000
#: Bytes of the largest file that is hashed as a whole, which takes a few seconds.
_LARGEST = 2**32


def keep_or_check(problem: Problem, file: Path, resume: bool, source: str | None = None) -> None:
    """Writes the fingerprint of a run's data to ``file``, or where the run is resumed compares it.

    It holds the names of classes and groups in their order; of each part the number and shape of the samples, a hash of
    targets and groups, and of 64 samples a sum of the inputs in which each place has a weight of its own, so that other
    values and another order are noticed (compared to 1 in 1000, since machines round differently), or a hash of the
    names and sizes of 1000 image files. Where the data are one file it holds the checksum of that. A run of an earlier
    release has no such file; it gets one.

    Args:
        problem: the data.
        file: where the fingerprint is kept.
        resume: whether to compare.
        source: what the data were read from, of which a file is hashed if it is not too large.

    Raises:
        InputError: the data have changed.
    """
    now = {part: _of(getattr(problem, part)) for part in ("train", "validation", "test")}
    names = {
        "class": [str(name) for name in problem.class_names],
        "group": [str(name) for name in problem.group_names or ()],
    }
    content = _content(source)
    if not resume or not file.exists():
        write_text(file, json.dumps({**now, "names": names, "content": content}, indent=1) + "\n")
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        compared = [(part, what, _same(before[part].get(what), now[part][what])) for part in now for what in now[part]]
        changed = None not in (content, before["content"]) and content != before["content"]
        renamed = [kind for kind in names if before["names"].get(kind) != names[kind]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is damaged, or of an earlier release: start a new run") from None
    if renamed:
        raise InputError(
            f"these are not the data that the run in {file.parent} started with: the names of the {renamed[0]} labels "
            "differ, or their order; bring the old data back, or start another run with another `out`"
        )
    for part, what, same in compared:
        if not same:
            raise InputError(
                f"these are not the data that the run in {file.parent} started with: the {what} of the {part} "
                "samples differ; bring the old data back, or start another run with another `out`"
            )
    if changed:
        raise InputError(
            f"these are not the data that the run in {file.parent} started with: the content of {source} differs; "
            "bring the old data back, or start another run with another `out`"
        )


def _content(source: str | None) -> str | None:
    """The checksum of a file, None for what is none or takes long to read."""
    if source is None or not Path(source).is_file() or Path(source).stat().st_size > _LARGEST:
        return None
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _of(samples: Samples) -> dict[str, Any]:
    digest = hashlib.sha256(samples.y.cpu().numpy().tobytes())
    if samples.group is not None:
        digest.update(samples.group.cpu().numpy().tobytes())
    found: dict[str, Any] = {"number and shape": [len(samples), *samples.shape], "targets": digest.hexdigest()[:32]}
    if isinstance(samples.x, ImageFiles):
        chosen = torch.linspace(0, len(samples) - 1, min(_FILES, len(samples))).long().tolist()
        files = [Path(samples.x.files[i]) for i in chosen]
        entries = "\n".join(f"{file.name} {file.stat().st_size}" for file in files)
        return {**found, "files": hashlib.sha256(entries.encode()).hexdigest()[:32]}
    chosen = torch.linspace(0, len(samples) - 1, min(_SAMPLES, len(samples))).long().tolist()
    return {**found, "inputs": [_weighted(x.double().flatten()) for x in samples.take(torch.tensor(chosen)).x]}


def _weighted(numbers: Tensor) -> float:
    """A sum that tells which number stands where, as large as one of the numbers."""
    places = torch.arange(1, len(numbers) + 1, dtype=torch.float64, device=numbers.device)
    return float((numbers * (1 + places.sin())).sum() / len(numbers) ** 0.5)


def _same(before: Any, now: Any) -> bool:
    if before is None or not isinstance(now, list):
        return bool(before == now)
    return len(before) == len(now) and all(
        math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-4) for a, b in zip(before, now, strict=True)
    )
