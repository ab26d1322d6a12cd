"""Tiny ImageNet as it is downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Found, assemble
from autobalance.data._image_files import image_files
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._readable import readable
from autobalance.data._source import CLASSES_ONLY, FILES, TAIL, Source
from autobalance.data.sources._folder import class_folders, in_memory, list_images, unmeasured

TINY_SIZE = 64


def is_tiny_imagenet(source: str, options: DataOptions) -> bool:
    path = Path(source)
    return (path / "train").is_dir() and (path / "val" / "val_annotations.txt").is_file()


def load_tiny_imagenet(source: str, options: DataOptions) -> Problem:
    """Tiny ImageNet (Stanford CS231n) as downloaded: ``train/CLASS/images/*.JPEG``, and ``val/images`` with
    ``val/val_annotations.txt``, which is the test part, since the labels of its own test images are not public.

    Images are ``options.image_size`` pixels wide and high, by default 64. The classes are the WordNet ids.
    """
    path = Path(source)
    how = unmeasured(options, TINY_SIZE)
    names = class_folders(path / "train")
    train = list_images(path / "train", names, None, how, "images")
    number = {name: k for k, name in enumerate(names)}
    files, labels = [], []
    annotations = path / "val" / "val_annotations.txt"
    for line, text in enumerate(annotations.read_text(encoding="utf-8").splitlines(), 1):
        words = text.split("\t")
        if len(words) < 2 or words[1] not in number:
            raise InputError(f"{annotations}, line {line}, is {text[:80]!r}: it must be a file and a class of train/")
        files.append(path / "val" / "images" / words[0])
        if not files[-1].is_file():
            raise InputError(f"{annotations}, line {line}: there is no image {files[-1]}")
        labels.append(number[words[1]])
    test = Arrays(how.with_files(image_files(files).files), np.array(labels, dtype=np.int64))
    parts, notes = readable({"train": train, "test": test}, options)
    parts = in_memory(parts)
    found = Found(path.resolve().name, parts["train"], parts["test"], class_names=names, files=how, notes=notes)
    return assemble(found, options)


TINY_IMAGENET = Source(
    "tiny-imagenet", "a folder of images", load_tiny_imagenet, TAIL | FILES, CLASSES_ONLY, is_tiny_imagenet
)
