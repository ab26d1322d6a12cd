"""Images that are listed in text files or in iNaturalist's annotations, and that stay on disk."""

from __future__ import annotations

import json
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
from autobalance.data._parts import check_names, check_varied
from autobalance.data._problem import Problem
from autobalance.data._source import Source
from autobalance.data._split import Index
from autobalance.data.sources._part_files import part_files

DEFAULT_SIZE = 224
#: Where iNaturalist's files have the classes.
_LABELS = "annotations"


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
    """Read text files with ``path label`` a line, or iNaturalist's annotations, one file a part, see `part_files`.

    The labels of text files are classes 0..K-1, or for a regression numbers; the classes of annotations are their
    categories in the order of the ids. Paths are below ``options.images``, by default below the folder of the lists.
    Images are ``options.image_size`` pixels wide and high, by default 224, see `ImageFiles`.

    Raises:
        InputError: a line or annotation that is none, an image that is not there, a class without samples.
    """
    folder = Path(source)
    files = _part_lists(folder)
    names: tuple[str, ...] | None = None
    if files["train"].suffix == ".json":
        if options.regression:
            raise InputError(f"{files['train']} has classes as targets, not numbers: leave `task` regression out")
        contents = {part: _read_json(file) for part, file in files.items()}
        names = _category_names(contents["train"], files["train"])
        # the labels of iNaturalist's own test images are not public
        listed = {p: _annotated(c, files[p], len(names)) for p, c in contents.items() if p != "test" or _LABELS in c}
        if len(listed) == 1:
            raise InputError(f"{folder} has annotations for training only: it needs val2018.json, or the like, too")
    else:
        listed = {part: _read_text(file, options.regression) for part, file in files.items()}
    number = len(names) if names is not None else None if options.regression else int(listed["train"].targets.max()) + 1
    if number is not None:
        for part, one in listed.items():
            check_labels(one.targets, f"{files[part].name}: label", len(one.targets), number)
    return problem_of_images(folder.resolve().name, listed, folder, options, names)


def problem_of_images(
    name: str,
    listed: Mapping[str, Listing],
    folder: Path,
    options: DataOptions,
    names: tuple[str, ...] | None,
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
        # A cut through the middle suits objects; of faces, whose ages are numbers, the recipes keep the whole.
        images = image_files(files, options.image_size or DEFAULT_SIZE, centre=not options.regression)
        parts[part] = Arrays(images, targets, group)
    if options.regression:
        check_varied(parts["train"].y, "the target of the training images")
    if "test" not in parts and "val" in parts:
        parts["test"] = parts.pop("val")
    return assemble(Found(name, parts["train"], parts.get("test"), parts.get("val"), names, group_names), options)


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


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or "images" not in content:
        raise InputError(f"{file} holds no 'images': it must be annotations as iNaturalist has them")
    return content


def _category_names(content: dict[str, Any], file: Path) -> tuple[str, ...]:
    """Of the categories, whose ids are 0..K-1."""
    try:
        found = {int(category["id"]): str(category["name"]) for category in content["categories"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: 'categories' must be a list of id and name ({error!r})") from error
    if sorted(found) != list(range(len(found))):
        raise InputError(f"{file}: the ids of its {len(found)} categories must be 0 to {len(found) - 1}")
    return check_names([found[k] for k in range(len(found))], len(found))


def _annotated(content: dict[str, Any], file: Path, number: int) -> Listing:
    try:
        classes = {one["image_id"]: int(one["category_id"]) for one in content[_LABELS]}
        images = [(one["id"], str(one["file_name"])) for one in content["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: images need id and file_name, annotations image_id and category_id ({error!r})"
        ) from error
    for i, (key, path) in enumerate(images):
        if not 0 <= classes.get(key, -1) < number:
            raise InputError(f"{file}: image {i} ({path}) has no annotation with a category of the training images")
    return Listing(
        [path for _, path in images], np.array([classes[key] for key, _ in images]), lambda i: f"{file}, image {i}"
    )


def _part_lists(folder: Path) -> Mapping[str, Path]:
    """The lists of a folder, see `part_files`, or nothing."""
    if not folder.is_dir():
        return {}
    return part_files(folder, (".txt",)) or part_files(folder, (".json",))


LISTS = Source(
    "lists",
    "a folder of lists of images",
    load_lists,
    frozenset({"images", "image_size", "imbalance", "imbalance_type"}),
    matches=lambda source, options: bool(_part_lists(Path(source))),
)
