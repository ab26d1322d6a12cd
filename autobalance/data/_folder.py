"""Folders of images, one sub-folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Options, assemble
from autobalance.data._samples import Problem
from autobalance.data._split import TEST_FRACTION, stratified_split
from autobalance.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


def load_folder(path: Path, options: Options, size: int = 32) -> Problem:
    """Read the images of ``path/CLASS/*``, or of ``path/train/CLASS/*``, ``path/test/CLASS/*`` and maybe ``path/val``.

    Every image becomes RGB of ``size`` x ``size``. The classes are the folders' names in the order of the alphabet;
    files that are no images by their suffix are passed over. Without a test folder a fifth is split off for test,
    stratified and by the seed.

    Raises:
        InputError: no images, a file that is no image although its name says so, a part without one of the classes.
    """
    options.refuse_columns("a folder, whose sub-folders are the classes")
    if (path / "train").is_dir() and (path / "test").is_dir():
        names = _class_folders(path / "train")
        train, test = _read(path / "train", names, size), _read(path / "test", names, size)
        validation = _read(path / "val", names, size) if (path / "val").is_dir() else None
    else:
        names = _class_folders(path)
        whole, validation = _read(path, names, size), None
        generator = np.random.default_rng(options.seed)
        rest, held = stratified_split(whole.y, TEST_FRACTION, generator, class_names=names, leave=2)
        train, test = whole.subset(rest), whole.subset(held)
    return assemble(path.resolve().name, train, test, options, validation=validation, class_names=names)


def _class_folders(path: Path) -> tuple[str, ...]:
    """Names of the visible sub-folders, sorted."""
    names = tuple(sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(names) < 2:
        raise InputError(f"{path} has {len(names)} sub-folders: it needs one for each of at least two classes")
    return names


def _read(path: Path, names: Sequence[str], size: int) -> Arrays:
    """The images of one part, bytes of shape (N, size, size, 3)."""
    unknown = set(_class_folders(path)) - set(names)
    if unknown:
        raise InputError(f"{path / min(unknown)} is no class of the training images: {', '.join(names)}")
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for k, name in enumerate(names):
        folder = path / name
        files = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not files:
            raise InputError(f"{folder} has no images: class {name!r} needs some ({', '.join(SUFFIXES)})")
        images += [_open(file, size) for file in files]
        labels += [k] * len(files)
    return Arrays(np.stack(images), np.array(labels, dtype=np.int64))


def _open(file: Path, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image, mend or remove it: {error}") from error
