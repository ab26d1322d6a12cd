"""CIFAR-10 and CIFAR-100 through torchvision, made long-tailed."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Found, assemble
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import CLASSES_ONLY, TAIL, Source

DEFAULT_IMBALANCE = 100.0
_CLASSES = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}


def load_cifar(source: str, options: DataOptions) -> Problem:
    """CIFAR (Krizhevsky 2009) with imbalance 100 unless chosen; the full, balanced test set is the test split.

    The files are looked for in the folder that the environment variable AUTOBALANCE_DATA names, or in ./data, and
    downloaded where they are missing.

    Args:
        source: "cifar10" or "cifar100".
        options: the imbalance is applied to the training set, of which validation is then split off.

    Raises:
        InputError: the files are not there and cannot be downloaded.
    """
    from torchvision import datasets

    dataset = getattr(datasets, _CLASSES[source])
    root = os.environ.get("AUTOBALANCE_DATA", "data")
    try:
        try:
            parts = [dataset(root, train=train) for train in (True, False)]
        except RuntimeError:  # not there, or not complete
            parts = [dataset(root, train=train, download=True) for train in (True, False)]
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"{source} is not in the folder {root!r} and cannot be downloaded ({error}): get its Python version from "
            "https://www.cs.toronto.edu/~kriz/cifar.html, unpack it there, or set AUTOBALANCE_DATA to its folder"
        ) from error
    train, test = (Arrays(part.data, np.asarray(part.targets, dtype=np.int64)) for part in parts)
    if options.imbalance is None:
        options = replace(options, imbalance=DEFAULT_IMBALANCE)
    return assemble(Found(source, train, test, class_names=parts[0].classes), options)


CIFAR10 = Source("cifar10", "CIFAR-10", load_cifar, TAIL, CLASSES_ONLY)
CIFAR100 = Source("cifar100", "CIFAR-100", load_cifar, TAIL, CLASSES_ONLY)
