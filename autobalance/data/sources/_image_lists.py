"""Images that are listed in text files, in iNaturalist's annotations or in tables, and that stay on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_labels
from autobalance.data._assemble import Options, assemble
from autobalance.data._image_files import image_files
from autobalance.data._numbers import check_varied, ordered_split
from autobalance.data._parts import check_names
from autobalance.data._samples import Problem
from autobalance.data._split import TEST_FRACTION, Index, stratified_split
from autobalance.data.sources._group_columns import Groups, groups_of
from autobalance.data.sources._read_table import open_rows, row_name
from autobalance.data.sources._table import classes_of, numbers_of, target_column

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


def load_lists(files: Mapping[str, Path], options: Options) -> Problem:
    """Read text files with ``path label`` a line, or iNaturalist's annotations, one file a part, see `part_files`.

    The labels of text files are classes 0..K-1, or for a regression numbers; the classes of annotations are their
    categories in the order of the ids. Paths are below ``options.images``, by default below the folder of the lists.
    Images are ``options.image_size`` pixels wide and high, by default 224, see `ImageFiles`.

    Raises:
        InputError: a line or annotation that is none, an image that is not there, a class without samples.
    """
    folder = files["train"].parent
    options.refuse_columns(f"{folder}, whose lists hold paths and targets")
    names: tuple[str, ...] | None = None
    if files["train"].suffix == ".json":
        if options.regression:
            raise InputError(f"{files['train']} has classes as targets, not numbers: leave --task regression out")
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
    return _problem(folder.resolve().name, listed, folder, options, names)


def load_image_table(path: Path, options: Options) -> Problem:
    """Read a table with a column ``path``, below ``options.images``, and the target column. What is for which part may
    be said by a column (``options.split``) or by files, see `open_rows`; other columns are not looked at.

    Raises:
        InputError: as `load_lists`, with the row.
    """
    if options.text or options.drop:
        raise InputError("--text and --drop have no effect with --images: only the path and the target are read")
    rows = open_rows(path, options)
    if "path" not in rows.frame.columns:
        raise InputError(f"{path} has no column 'path', which --images needs: it has {', '.join(rows.frame.columns)}")
    column = rows.frame["path"]
    if column.isna().any():
        raise InputError(f"{path}: the path is missing in {row_name(column, column.isna())}")
    names: tuple[str, ...] | None = None
    targets: NDArray[Any]
    if options.regression:
        targets = numbers_of(target_column(rows.frame, options.target, path, "number to predict"))
    else:
        targets, names = classes_of(rows.frame, options.target, path)
    options.refuse_group_as_feature()
    groups = None if options.group is None else groups_of(rows.frame, options.group, str(options.target), path)
    paths = column.astype(str).to_numpy(dtype=object)

    def listing(index: Index) -> Listing:
        return Listing(
            paths[index].tolist(),
            targets[index],
            lambda i: f"{path.name}, {row_name(column, np.arange(len(column)) == index[i])}",
            None if groups is None else groups.of_row[index],
        )

    given = rows.given or dict(zip(("train", "test"), _test_drawn(targets, names, groups, options), strict=True))
    if names is not None:
        for part, index in given.items():
            check_labels(targets[index], f"the target {options.target!r} of the {part} rows", len(index), len(names))
    if groups is not None:
        for part, index in given.items():
            check_labels(groups.of_row[index], f"the group of the {part} rows", len(index), len(groups.names), "group")
    listed = {part: listing(index) for part, index in given.items()}
    return _problem(rows.name, listed, path.parent, options, names, None if groups is None else groups.names)


def _test_drawn(
    targets: NDArray[Any], names: tuple[str, ...] | None, groups: Groups | None, options: Options
) -> tuple[Index, Index]:
    generator = np.random.default_rng(options.seed)
    if names is None:
        return ordered_split(targets, TEST_FRACTION, generator)
    group, group_names = (None, None) if groups is None else (groups.of_row, groups.names)
    return stratified_split(
        targets, TEST_FRACTION, generator, group=group, class_names=names, group_names=group_names, leave=2
    )


def _problem(
    name: str,
    listed: Mapping[str, Listing],
    folder: Path,
    options: Options,
    names: tuple[str, ...] | None,
    group_names: tuple[str, ...] | None = None,
) -> Problem:
    root = folder if options.images is None else Path(options.images)
    parts = {}
    for part, (paths, targets, place, group) in listed.items():
        files = [root / path for path in paths]
        for i, file in enumerate(files):
            if not file.is_file():
                raise InputError(
                    f"{place(i)}: there is no image {file}: --images names the folder that the paths start from"
                )
        # A cut through the middle suits objects; of faces, whose ages are numbers, the recipes keep the whole.
        images = image_files(files, options.image_size or DEFAULT_SIZE, centre=not options.regression)
        parts[part] = Arrays(images, targets, group)
    if options.regression:
        check_varied(parts["train"].y, "the target of the training images")
    test, validation = (parts["test"], parts.get("val")) if "test" in parts else (parts["val"], None)
    known: dict[str, Any] = {"class_names": names, "group_names": group_names}
    return assemble(name, parts["train"], test, options, validation=validation, **known)


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
