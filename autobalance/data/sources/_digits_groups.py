"""The handwritten digits as two classes with a misleading ground, in the way of Waterbirds (Sagawa et al. 2020)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import Arrays
from autobalance.data._assemble import Found, assemble
from autobalance.data._grounds import Grounds
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import CLASSES_ONLY, Source
from autobalance.data.sources._digits import read_digits

CLASSES = ("0 to 4", "5 to 9")
GROUPS = ("dark ground", "light ground")
#: Samples of a class on its usual ground over those on the other one. 19 in Waterbirds, which has 4795 of them.
DEFAULT_IMBALANCE = 10.0


def load_digits_groups(source: str, options: DataOptions) -> Problem:
    """Is a digit 0 to 4 or 5 to 9? The ground of the picture mostly tells in training, and never in the test split.

    Classes: the digits 0 to 4 and 5 to 9. Groups: white ink on a dark ground, as scikit-learn has them, and the
    negative of the picture (16 - value). For training, the digits 0 to 4 lie on a dark ground and 5 to 9 on a light
    one, but for a share 1 / (1 + ρ) of each digit's pictures, which the seed draws and which have the other ground; ρ
    is the imbalance, 10 unless chosen. Validation samples are split off from these, and have the same shares. The test
    split is that of ``digits``, 50 pictures a digit, of which 25 lie on a dark and 25 on a light ground, the same
    whatever the seed: 125 in each cell.

    Raises:
        InputError: an imbalance below 1, or one that leaves a digit no picture on the other ground.
    """
    imbalance = DEFAULT_IMBALANCE if options.imbalance is None else options.imbalance
    if imbalance < 1:
        raise InputError(f"`imbalance` {imbalance:g} is below 1: it is samples on the usual ground over the others")
    rest, test = read_digits()
    grounds = Grounds("negative", ratio=imbalance)
    train = _two_classes(rest, grounds, 1 / (1 + imbalance), np.random.default_rng(options.seed))
    assert train.group is not None
    if len(np.unique(2 * train.y + train.group)) < 4:
        raise InputError(f"`imbalance` {imbalance:g} leaves no picture on the other ground; at most 200 is possible")
    even = _two_classes(test, grounds, 0.5, np.random.default_rng(0))
    return assemble(
        Found(source, train, even, class_names=CLASSES, group_names=GROUPS), replace(options, imbalance=None)
    )


def _two_classes(digits: Arrays, grounds: Grounds, share: float, generator: np.random.Generator) -> Arrays:
    """The two-class samples, a ``share`` of each digit's pictures on the ground that is not its class's."""
    labels = (digits.y >= 5).astype(np.int64)
    return replace(grounds.put(digits, labels, digits.y, share, generator), y=labels)


DIGITS_GROUPS = Source(
    "digits-groups", "digits on grounds that mislead", load_digits_groups, frozenset({"imbalance"}), CLASSES_ONLY
)
