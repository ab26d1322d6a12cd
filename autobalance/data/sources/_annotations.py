"""Images that are listed in annotations as iNaturalist has them, and that stay on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import check_labels
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_names
from autobalance.data._problem import Problem
from autobalance.data._source import CLASSES_ONLY, Source
from autobalance.data.sources._image_lists import IMAGE_OPTIONS, Listing, problem_of_images
from autobalance.data.sources._part_files import part_files

#: Where the files have the classes.
_LABELS = "annotations"


def load_annotations(source: str, options: DataOptions) -> Problem:
    """Read iNaturalist's annotations, one .json file a part, see `part_files`. The classes are their categories in the
    order of the ids; paths and sizes are as in `load_lists`.

    Raises:
        InputError: annotations that cannot be read, an image that is not there, a class without samples.
    """
    folder = Path(source)
    files = part_files(folder, (".json",))
    contents = {part: _read_json(file) for part, file in files.items()}
    names = _category_names(contents["train"], files["train"])
    # the labels of iNaturalist's own test images are not public
    listed = {p: _annotated(c, files[p], len(names)) for p, c in contents.items() if p != "test" or _LABELS in c}
    if len(listed) == 1:
        raise InputError(f"{folder} has annotations for training only: it needs a file such as val2018.json too")
    for part, one in listed.items():
        check_labels(one.targets, f"{files[part].name}: label", len(one.targets), len(names))
    return problem_of_images(folder.resolve().name, listed, folder, options, names)


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


ANNOTATIONS = Source(
    "annotations",
    "a folder of lists of images",
    load_annotations,
    IMAGE_OPTIONS,
    CLASSES_ONLY,
    lambda source, _: bool(part_files(Path(source), (".json",))),
)
