"""scikit-learn's handwritten digits, real 8 x 8 images that need no download, made long-tailed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Found, assemble
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import CLASSES_ONLY, TAIL, Source

TEST_PER_CLASS = 50
DEFAULT_IMBALANCE = 10.0


def load_digits(source: str, options: DataOptions) -> Problem:
    """The digits (Alpaydin & Kaynak 1998, in scikit-learn), images of shape (1, 8, 8).

    50 samples of each class are the test split, the same ones whatever the seed, so that nothing that was tuned with
    one seed has seen the test samples of another. The seed draws the long tail (imbalance 10 unless chosen) and the
    validation samples from the rest.
    """
    if options.imbalance is None:
        options = replace(options, imbalance=DEFAULT_IMBALANCE)
    rest, test = read_digits()
    return assemble(Found(source, rest, test), options)


def read_digits() -> tuple[Arrays, Arrays]:
    """All digits but the test split, and the test split, as bytes from 0 (ground) to 16 (ink)."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    is_test = np.zeros(len(labels), dtype=bool)
    generator = np.random.default_rng(0)
    for k in range(10):
        is_test[generator.choice(np.flatnonzero(labels == k), size=TEST_PER_CLASS, replace=False)] = True
    return Arrays(images[~is_test], labels[~is_test]), Arrays(images[is_test], labels[is_test])


DIGITS = Source("digits", "scikit-learn's handwritten digits", load_digits, TAIL, CLASSES_ONLY)
