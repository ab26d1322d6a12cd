"""From what a source found to a problem: the test split, the long tail, the grounds, the validation split,
standardisation, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from autobalance.common import InputError
from autobalance.data._arrays import Arrays
from autobalance.data._grounds import Grounds
from autobalance.data._image_files import ImageFiles
from autobalance.data._long_tail import long_tail_subset
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_names, num_groups
from autobalance.data._problem import Problem
from autobalance.data._split import TEST_SHARE, divide
from autobalance.data._to_samples import fit_encoder, to_samples
from autobalance.data.encoders import ArrayEncoder, Encoder, ImageEncoder


@dataclass(frozen=True)
class Found:
    """What a source found, its samples checked.

    Args:
        name: what the tables call the problem.
        train: training samples, of which test and validation are split off where there are none.
        test: test samples, or None.
        validation: validation samples, or None.
        class_names: K names; None: the numbers 0..K-1. Not looked at for a regression.
        group_names: G names; None: the numbers 0..G-1, where there are groups.
        make_model: builds the model that the source brings along.
        standardise: False leaves float inputs as they are.
        files: where the inputs are the bytes of images in files: how those are read.
        notes: see `Problem`.
    """

    name: str
    train: Arrays
    test: Arrays | None = None
    validation: Arrays | None = None
    class_names: Sequence[str] | None = None
    group_names: Sequence[str] | None = None
    make_model: Callable[[], nn.Module] | None = None
    standardise: bool = True
    files: ImageFiles | None = None
    notes: tuple[str, ...] = ()


def assemble(found: Found, options: DataOptions) -> Problem:
    """The problem that ``options`` make of what a source found.

    Raises:
        InputError: a class or cell with too few samples, names that do not fit, an option without effect.
    """
    train, test, validation = found.train, found.test, found.validation
    names, groups = None, None
    if not options.regression:
        names = check_names(found.class_names, int(train.y.max()) + 1)
        if train.group is not None or found.group_names is not None:
            groups = check_names(found.group_names, num_groups(train), "group")

    def split(part: Arrays, share: float, generator: np.random.Generator, leave: int = 1) -> tuple[Arrays, Arrays]:
        cells = {"group": part.group, "class_names": names, "group_names": groups, "leave": leave}
        first, second = divide(part.y, share, generator, **cells)
        return part.subset(first), part.subset(second)

    if test is None:
        train, test = split(train, TEST_SHARE, np.random.default_rng(options.seed), leave=2)
    generator = np.random.default_rng(options.seed)
    if options.imbalance is not None:
        train = train.subset(long_tail_subset(train.y, options.imbalance, options.imbalance_type, generator))
    elif options.imbalance_type != DataOptions.imbalance_type:
        raise InputError(f"`imbalance_type` {options.imbalance_type} has no effect without `imbalance`")
    if options.ground is not None:
        grounds = Grounds.of(options.ground, options.ground_ratio)
        train, groups = grounds.misleading(train, generator), grounds.names
        test = grounds.even(test, np.random.default_rng(0))
        validation = None if validation is None else grounds.misleading(validation, generator)
    if validation is None:
        train, validation = split(train, options.validation_share, generator)
    encoder = fit_encoder(train, standardise=found.standardise)
    samples = to_samples([train, validation, test], encoder)
    problem = Problem(
        found.name,
        samples[0],
        samples[1],
        samples[2],
        class_names=names or (),
        make_model=found.make_model,
        own_validation=found.validation is not None,
        group_names=groups,
        encoder=_of_files(encoder, found.files),
        notes=found.notes,
    )
    return problem.binned(options.bins) if options.regression else problem


def _of_files(encoder: ArrayEncoder | ImageEncoder, files: ImageFiles | None) -> Encoder:
    """What encodes further samples: where the inputs were bytes read from images, other images in files."""
    if files is None or isinstance(encoder, ImageEncoder):
        return encoder
    mean, scale = (tuple((table.flatten() / 255).tolist()) for table in (encoder.mean, encoder.scale))
    return ImageEncoder(files.size, files.centre, mean, scale)
