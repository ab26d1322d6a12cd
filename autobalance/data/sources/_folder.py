"""Folders of images, one sub-folder a class, and in each where there are groups one a group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Found, assemble
from autobalance.data._image_files import IMAGENET_SIZE, SUFFIXES, ImageFiles, image_files
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_varied
from autobalance.data._problem import Problem
from autobalance.data._readable import readable
from autobalance.data._source import FILES, TAIL, Source

DEFAULT_SIZE = 32
#: Images that take more than this as float32 stay on disk.
IN_MEMORY = 2**30


def load_folder(source: str, options: DataOptions) -> Problem:
    """Read the images of ``path/CLASS/*``, or of ``path/train/CLASS/*``, ``path/test/CLASS/*`` and maybe ``path/val``.

    Where the class folders hold folders in place of images, these are the groups, ``CLASS/GROUP/*``, the same for every
    class. Every image becomes RGB of ``options.image_size`` x ``options.image_size``, by default 32. The classes are
    the folders' names in the order of the alphabet, for a regression their names are the numbers to predict; files
    whose suffix is not that of an image are passed over. Without a test folder a fifth is split off for test, by the
    seed.
    Up to a gibibyte of images is read into memory, see `ImageFiles` for more, and for a backbone.

    Raises:
        InputError: no images, a file that is not an image although its name says so, a part without one of the classes.
    """
    path = Path(source)
    how = unmeasured(options, DEFAULT_SIZE)
    in_parts = (path / "train").is_dir() and (path / "test").is_dir()
    places = {p: path / p for p in ("train", "test", "val") if (path / p).is_dir()} if in_parts else {"train": path}
    names = class_folders(places["train"])
    groups = _group_folders(places["train"], names)
    parts = {part: list_images(place, names, groups, how) for part, place in places.items()}
    if options.regression:
        if groups:
            raise InputError(f"the groups of {path} have no effect on a regression: {', '.join(groups)}")
        numbers = np.array([_number(name, path) for name in names])
        parts = {part: Arrays(found.x, numbers[found.y]) for part, found in parts.items()}
        check_varied(parts["train"].y, f"{path}: the target")
    parts, notes = readable(parts, options)
    parts = in_memory(parts)
    found = Found(
        path.resolve().name,
        parts["train"],
        parts.get("test"),
        parts.get("val"),
        names,
        groups,
        files=how,
        notes=notes,
    )
    return assemble(found, options)


def class_folders(path: Path) -> tuple[str, ...]:
    """Names of the visible sub-folders, sorted."""
    names = _folders(path)
    if len(names) < 2:
        raise InputError(f"{path} has {len(names)} sub-folders: it needs one for each of at least two classes")
    return names


def list_images(
    path: Path, names: Sequence[str], groups: Sequence[str] | None, how: ImageFiles, below: str = ""
) -> Arrays:
    """The images of one part, undecoded, ``path/CLASS/BELOW/*``, read as ``how`` says, their classes and groups."""
    unknown = set(class_folders(path)) - set(names)
    if unknown:
        raise InputError(f"{path / min(unknown)} is not a class of the training images: {', '.join(names)}")
    paths: list[Path] = []
    cells: list[tuple[int, int]] = []
    for k, name in enumerate(names):
        if unknown := set(_folders(path / name) if groups and (path / name).is_dir() else ()) - set(groups or ()):
            known = ", ".join(groups or ())
            raise InputError(f"{path / name / min(unknown)} is not a group of the training images: {known}")
        for g, group in enumerate(groups or (below,)):
            found = _image_paths(path / name / group)
            if not found:
                what = f"class {name!r}" + (f" of group {group!r}" if groups else "")
                raise InputError(f"{path / name / group} has no images: {what} needs some ({', '.join(SUFFIXES)})")
            paths += found
            cells += [(k, g)] * len(found)
    labels, group_index = np.array(cells, dtype=np.int64).T
    return Arrays(how.with_files(image_files(paths).files), labels, group_index if groups else None)


def in_memory(parts: dict[str, Arrays]) -> dict[str, Arrays]:
    """The images as bytes where all of them together are few enough and still to be measured, else as they are."""
    images = {part: arrays.x for part, arrays in parts.items() if isinstance(arrays.x, ImageFiles)}
    if any(x.mean for x in images.values()) or sum(4 * math.prod(x.shape) for x in images.values()) > IN_MEMORY:
        return parts
    return {part: replace(parts[part], x=x.pixels(np.arange(len(x)))) for part, x in images.items()}


def unmeasured(options: DataOptions, size: int) -> ImageFiles:
    """How images are read: for a backbone as ImageNet's, else whole, to be standardised with the mean and standard
    deviation of the training images.

    Args:
        options: say for what, and maybe how large.
        size: where they do not.
    """
    if options.backbone is not None:
        return image_files((), options.image_size or IMAGENET_SIZE, centre=not options.regression)
    return replace(image_files((), options.image_size or size, centre=False), mean=(), scale=())


def _folders(path: Path) -> tuple[str, ...]:
    return tuple(sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")))


def _image_paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _group_folders(path: Path, classes: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the groups, where the class folders hold folders in place of images; else None."""
    if any(_image_paths(path / name) for name in classes):
        return None
    groups = tuple(sorted({group for name in classes for group in _folders(path / name)}))
    if len(groups) == 1:
        raise InputError(f"{path} has the one group {groups[0]!r}: put the images into the class folders themselves")
    return groups or None


def _number(name: str, path: Path) -> float:
    try:
        return float(name)
    except ValueError:
        raise InputError(
            f"{path / name} is not a number: for `task` regression the sub-folders' names are the numbers to predict"
        ) from None


FOLDER = Source(
    "folder", "a folder of images", load_folder, TAIL | FILES, matches=lambda source, _: Path(source).is_dir()
)
