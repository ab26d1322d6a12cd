"""Images that are listed in text files, and that stay on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_labels
from autobalance.data._assemble import Found, assemble
from autobalance.data._image_files import image_files
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_varied
from autobalance.data._problem import Problem
from autobalance.data._readable import readable
from autobalance.data._source import FILES, TAIL, Source
from autobalance.data._split import Index
from autobalance.data.sources._part_files import part_files

DEFAULT_SIZE = 224
#: What lists of images understand.
IMAGE_OPTIONS = TAIL | FILES | {"images"}


class Listing(NamedTuple):
    """Images, their targets and maybe groups.

    Args:
        paths: below some folder.
        targets: classes 0..K-1 or numbers, (N,).
        place: of the entry at a position, for the messages.
        group: groups 0..G-1, (N,), or None.
    """

    paths: list[str]
    targets: NDArray[Any]
    place: Callable[[int], str]
    group: Index | None = None


def load_lists(source: str, options: DataOptions) -> Problem:
    """Read text files with ``path label`` a line, one file a part, see `part_files`.

    The labels are classes 0..K-1, or for a regression numbers. Paths are below ``options.images``, by default below
    the folder of the lists. Images are ``options.image_size`` pixels wide and high, by default 224, see `ImageFiles`.

    Raises:
        InputError: a line that cannot be read, an image that is not there, a class without samples.
    """
    folder = Path(source)
    files = part_files(folder, (".txt",))
    listed = {part: _read_text(file, options.regression) for part, file in files.items()}
    if not options.regression:
        number = int(listed["train"].targets.max()) + 1
        for part, one in listed.items():
            check_labels(one.targets, f"{files[part].name}: label", len(one.targets), number)
    return problem_of_images(folder.resolve().name, listed, folder, options)


def problem_of_images(
    name: str,
    listed: Mapping[str, Listing],
    folder: Path,
    options: DataOptions,
    names: tuple[str, ...] | None = None,
    group_names: tuple[str, ...] | None = None,
) -> Problem:
    """The problem of images that are listed for "train" and maybe "val" and "test".

    Args:
        name: of the problem.
        listed: the images of each part. Without "test" those of "val" are for test, see `three_parts`.
        folder: that the paths start from where ``options.images`` names none.
        options: say also the size.
        names: of the K classes; None for the numbers 0..K-1.
        group_names: of the G groups.

    Raises:
        InputError: an image that is not there, constant training targets.
    """
    root = folder if options.images is None else Path(options.images)
    parts = {}
    for part, (paths, targets, place, group) in listed.items():
        files = [root / path for path in paths]
        for i, file in enumerate(files):
            if not file.is_file():
                raise InputError(
                    f"{place(i)}: there is no image {file}: `images` names the folder that the paths start from"
                )
        # A cut through the middle suits objects; of faces, whose ages are numbers, recipes keep the whole image.
        images = image_files(files, options.image_size or DEFAULT_SIZE, centre=not options.regression)
        parts[part] = Arrays(images, targets, group)
    if options.regression:
        check_varied(parts["train"].y, "the target of the training images")
    parts, notes = readable(parts, options)
    if "test" not in parts and "val" in parts:
        parts["test"] = parts.pop("val")
    given = parts["train"], parts.get("test"), parts.get("val")
    return assemble(Found(name, *given, names, group_names, notes=notes), options)


def _read_text(file: Path, numbers: bool) -> Listing:
    paths, targets, lines = [], [], []
    what = "number" if numbers else "class 0, 1, 2, ..."
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as text: {error}") from error
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        words = line.rsplit(None, 1)
        try:
            if len(words) != 2:
                raise ValueError
            target = float(words[1]) if numbers else int(words[1])
            if not abs(target) < 1e30 or (not numbers and target < 0):
                raise ValueError
        except ValueError:
            raise InputError(f"{file}, line {number}, is {line[:80]!r}: it must be a path and a {what}") from None
        paths.append(words[0].strip())
        targets.append(target)
        lines.append(number)
    if not paths:
        raise InputError(f"{file} lists no images")
    return Listing(paths, np.array(targets), lambda i: f"{file}, line {lines[i]}")


LISTS = Source(
    "lists",
    "a folder of lists of images",
    load_lists,
    IMAGE_OPTIONS,
    matches=lambda source, _: bool(part_files(Path(source), (".txt",))),
)
