"""Folders of images, one sub-folder a class, and in each where there are groups one a group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Options, assemble
from autobalance.data._samples import Problem
from autobalance.data._split import stratified_split
from autobalance.errors import InputError

TEST_FRACTION = 0.2
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


def load_folder(path: Path, options: Options, size: int = 32) -> Problem:
    """Read the images of ``path/CLASS/*``, or of ``path/train/CLASS/*``, ``path/test/CLASS/*`` and maybe ``path/val``.

    Where the class folders hold folders in place of images, these are the groups, ``CLASS/GROUP/*``, every class's the
    same.
    Every image becomes RGB of ``size`` x ``size``. The classes are the folders' names in the order of the alphabet;
    files that are no images by their suffix are passed over. Without a test folder a fifth is split off for test,
    stratified and by the seed.

    Raises:
        InputError: no images, a file that is no image although its name says so, a part without one of the classes.
    """
    options.refuse_columns("a folder, whose sub-folders are the classes, and theirs the groups")
    if (path / "train").is_dir() and (path / "test").is_dir():
        names = _class_folders(path / "train")
        groups = _group_folders(path / "train", names)
        train, test = _read(path / "train", names, groups, size), _read(path / "test", names, groups, size)
        validation = _read(path / "val", names, groups, size) if (path / "val").is_dir() else None
    else:
        names = _class_folders(path)
        groups = _group_folders(path, names)
        whole, validation = _read(path, names, groups, size), None
        generator = np.random.default_rng(options.seed)
        rest, held = stratified_split(
            whole.y, TEST_FRACTION, generator, group=whole.group, class_names=names, group_names=groups, leave=2
        )
        train, test = whole.subset(rest), whole.subset(held)
    return assemble(
        path.resolve().name, train, test, options, validation=validation, class_names=names, group_names=groups
    )


def _class_folders(path: Path) -> tuple[str, ...]:
    """Names of the visible sub-folders, sorted."""
    names = _folders(path)
    if len(names) < 2:
        raise InputError(f"{path} has {len(names)} sub-folders: it needs one for each of at least two classes")
    return names


def _folders(path: Path) -> tuple[str, ...]:
    return tuple(sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _group_folders(path: Path, classes: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the groups, where the class folders hold folders in place of images; else None."""
    if any(_files(path / name) for name in classes):
        return None
    groups = tuple(sorted({group for name in classes for group in _folders(path / name)}))
    if len(groups) == 1:
        raise InputError(f"{path} has the one group {groups[0]!r}: put the images into the class folders themselves")
    return groups or None


def _read(path: Path, names: Sequence[str], groups: Sequence[str] | None, size: int) -> Arrays:
    """The images of one part, bytes of shape (N, size, size, 3)."""
    unknown = set(_class_folders(path)) - set(names)
    if unknown:
        raise InputError(f"{path / min(unknown)} is no class of the training images: {', '.join(names)}")
    images: list[NDArray[np.uint8]] = []
    cells: list[tuple[int, int]] = []
    for k, name in enumerate(names):
        if unknown := set(_folders(path / name) if groups and (path / name).is_dir() else ()) - set(groups or ()):
            known = ", ".join(groups or ())
            raise InputError(f"{path / name / min(unknown)} is no group of the training images: {known}")
        for g, group in enumerate(groups or ("",)):
            files = _files(path / name / group)
            if not files:
                what = f"class {name!r}" + (f" of group {group!r}" if groups else "")
                raise InputError(f"{path / name / group} has no images: {what} needs some ({', '.join(SUFFIXES)})")
            images += [_open(file, size) for file in files]
            cells += [(k, g)] * len(files)
    labels, group_index = np.array(cells, dtype=np.int64).T
    return Arrays(np.stack(images), labels, group_index if groups else None)


def _open(file: Path, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image, mend or remove it: {error}") from error
