"""CIFAR cut down to what a CPU can train on in seconds: fewer images, of 16 x 16 pixels, with the same long tail.

The configurations ``reduced-cifar10`` and ``reduced-cifar100`` read these as data sources. Colours, classes, imbalance
ratio and the whole balanced test set of 10,000 images are CIFAR's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autobalance.common import InputError
from autobalance.data import long_tail_counts

IMBALANCE = 100.0
#: Training images of the largest class; the smallest has a hundredth.
LARGEST = {"CIFAR10": 1000, "CIFAR100": 200}


def small_cifar10() -> dict[str, Any]:
    """2,478 training images, 1,000 to 10 a class."""
    return _reduced("CIFAR10")


def small_cifar100() -> dict[str, Any]:
    """4,311 training images, 200 to 2 a class."""
    return _reduced("CIFAR100")


def _reduced(name: str) -> dict[str, Any]:
    x_train, y_train, x_test, y_test = _read(name)
    counts = long_tail_counts(LARGEST[name], int(y_test.max()) + 1, IMBALANCE)
    generator = np.random.default_rng(0)
    kept = np.sort(
        np.concatenate([generator.choice(np.flatnonzero(y_train == k), n, replace=False) for k, n in enumerate(counts)])
    )
    return {"train": (halved(x_train[kept]), y_train[kept]), "test": (halved(x_test), y_test)}


def halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, H, W, C) with the mean of each 2 x 2 pixels for one."""
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels).astype(np.float32)
    return blocks.mean(axis=(2, 4)).round().astype(np.uint8)


def _read(name: str) -> tuple[NDArray[Any], ...]:
    """Images and classes from ``cifar10.npz`` or ``cifar100.npz`` in the data folder, else through torchvision."""
    root = Path(os.environ.get("AUTOBALANCE_DATA", "data"))
    path = root / f"{name.lower()}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            return tuple(file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    from torchvision import datasets

    try:
        parts = [getattr(datasets, name)(root, train=train, download=True) for train in (True, False)]
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"{name} is not in the folder {str(root)!r} and cannot be downloaded ({error}): unpack its python version "
            f"from https://www.cs.toronto.edu/~kriz/cifar.html there, or put it there as {path.name} with x_train, "
            "y_train, x_test and y_test"
        ) from error
    return tuple(array for part in parts for array in (part.data, np.asarray(part.targets, dtype=np.int64)))
